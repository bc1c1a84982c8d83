//! Changing what is watched.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::schema::faults;
use crate::server::{Server, problem};

async fn change(server: &Server, method: Method, target: &str) -> Response {
    let request = server.request(method, &format!("/v1/watches/{target}"));
    request.header("Content-Type", "application/json").send().await.unwrap()
}

#[actix_web::test]
async fn a_channel_is_watched_from_the_request_on_until_it_is_taken_away() {
    let server = Server::start().await;
    let new = change(&server, Method::PUT, "a%2Fb").await;
    assert_eq!(new.status(), 201);
    let body: Value = serde_json::from_slice(&new.bytes().await.unwrap()).unwrap();
    assert_eq!(body, json!({ "target": "a/b", "kind": "channel", "source": "api" }));
    let description = server.json("/openapi.json").await;
    assert_eq!(faults(&description, "/v1/watches/{channel}", "put", "201", &body), [""; 0]);
    assert_eq!(change(&server, Method::PUT, "a%2Fb").await.status(), 200, "it is there already");
    server.observed("a%2Fb").await;
    let gone = change(&server, Method::DELETE, "a%2Fb").await;
    assert_eq!((gone.status().as_u16(), gone.bytes().await.unwrap().len()), (204, 0));
    server.json_until("/v1/channels/a%2Fb", |channel| channel["status"] == "unwatched").await;
    problem(change(&server, Method::DELETE, "a%2Fb").await, 404, "unknown_watch").await;
}

#[actix_web::test]
async fn a_pattern_finds_channels_and_is_listed_beside_the_configuration() {
    let server = Server::start().await;
    assert_eq!(change(&server, Method::PUT, "room.%2A").await.status(), 201);
    server.enter("room.1", "ada", None);
    server.json_until("/v1/channels/room.1/occupants", |answer| answer["items"][0]["user"] == "ada").await;
    let watches = server.json("/v1/watches").await;
    assert_eq!(
        watches,
        json!({
            "items": [
                { "target": "lobby", "kind": "channel", "source": "configuration" },
                { "target": "room.*", "kind": "pattern", "source": "api" },
            ],
            "next": null,
        })
    );
}

#[actix_web::test]
async fn what_the_configuration_names_cannot_be_taken_away() {
    let server = Server::start().await;
    problem(change(&server, Method::DELETE, "lobby").await, 409, "configured_watch").await;
    problem(change(&server, Method::PUT, "a,b").await, 400, "bad_name").await;
    problem(change(&server, Method::PUT, "%FF").await, 400, "bad_name").await;
}
