//! Who may ask.

use adsum::api::{Api, ApiSettings};
use reqwest::Method;

use crate::server::{Server, problem};

#[actix_web::test]
async fn with_tokens_everything_but_the_health_check_needs_one() {
    let server = Server::start_with(&["lobby"], &["first", "second"]).await;
    assert_eq!(server.get("/healthz").await.status(), 200);
    for path in ["/v1/channels", "/readyz", "/metrics", "/openapi.json", "/nowhere"] {
        let response = server.get(path).await;
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{path}");
        problem(response, 401, "unauthorized").await;
    }
    let with = |token: &str| server.request(Method::GET, "/v1/channels").bearer_auth(token).send();
    problem(with("third").await.unwrap(), 401, "unauthorized").await;
    assert_eq!(with("second").await.unwrap().status(), 200);
    let remote =
        server.request(Method::GET, "/v1/channels").bearer_auth("first").header("Host", "adsum.example");
    assert_eq!(remote.send().await.unwrap().status(), 200, "whoever has a token may call it what they like");
}

#[actix_web::test]
async fn without_tokens_only_this_machine_is_served_and_no_page_on_it_may_change_anything() {
    let server = Server::start().await;
    let rebound = server.request(Method::GET, "/v1/channels").header("Host", "evil.example");
    problem(rebound.send().await.unwrap(), 403, "forbidden_host").await;
    let put = || server.request(Method::PUT, "/v1/watches/room");
    problem(put().send().await.unwrap(), 415, "unsupported_media_type").await;
    let form = put().header("Content-Type", "text/plain").body("{}");
    problem(form.send().await.unwrap(), 415, "unsupported_media_type").await;
    let json = || put().header("Content-Type", "application/json");
    problem(json().header("Origin", "http://evil.example").send().await.unwrap(), 403, "forbidden_origin")
        .await;
    let own = json().header("Origin", format!("http://{}", server.address));
    assert_eq!(own.send().await.unwrap().status(), 201);
    let read = server.request(Method::GET, "/v1/channels").header("Origin", "http://evil.example");
    let read = read.send().await.unwrap();
    assert!(!read.headers().contains_key("access-control-allow-origin"), "no page elsewhere may read");
}

#[actix_web::test]
async fn without_tokens_it_listens_on_loopback_only() {
    let server = Server::start().await;
    let bind = |listen: &str, tokens: &[&str]| {
        let tokens = tokens.iter().map(|token| (*token).to_owned().into()).collect();
        Api::bind(&ApiSettings { listen: listen.parse().unwrap(), tokens }, server.adsum.clone())
    };
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let Err(refused) = bind(listen, &[]) else { panic!("{listen}") };
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
        assert!(refused.to_string().contains("server.tokens"), "{refused}");
    }
    assert!(bind("0.0.0.0:0", &["secret"]).is_ok());
    assert!(bind("127.0.0.1:0", &[]).is_ok());
}

#[actix_web::test]
async fn bodies_are_bounded_and_only_an_empty_one_is_taken() {
    let server = Server::start().await;
    let put = |body: String| {
        let put = server.request(Method::PUT, "/v1/watches/room").header("Content-Type", "application/json");
        put.body(body).send()
    };
    problem(put("x".repeat(5000)).await.unwrap(), 413, "payload_too_large").await;
    problem(put("{\"interval\": \"1s\"}".to_owned()).await.unwrap(), 400, "bad_body").await;
    assert_eq!(put("{}".to_owned()).await.unwrap().status(), 201);
}
