//! The record over HTTP (SPEC section 3): questions are answered by the [`Adsum`] handle, everything here is reading
//! what requests say, writing what is answered, and who may ask.
//!
//! Without tokens the server listens on loopback only and serves only whoever is on this machine (`access`).

mod access;
pub mod bodies;
mod body;
mod cursor;
mod feed;
mod openapi;
mod pages;
mod params;
mod problem;
mod routes;
pub(crate) mod times;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::middleware::{Compress, DefaultHeaders, from_fn};
use actix_web::{App, HttpServer, web};
use secrecy::SecretString;
use tokio::sync::watch;

use self::access::Access;
use self::routes::stream::Streams;
use crate::actors::handle::Adsum;
use crate::telemetry::metrics;

/// Threads that serve. Questions wait for the history, not for these.
const WORKERS: usize = 2;

/// How long answers that are being written may take when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// How the API is served.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whoever has one of these may ask. Without any, only loopback addresses are listened on.
    pub tokens: Vec<SecretString>,
}

/// A server that listens and does not yet serve.
pub struct Api {
    listener: TcpListener,
    local_addr: SocketAddr,
    access: Arc<Access>,
    adsum: Adsum,
    stop: watch::Sender<bool>,
}

/// Stops a server.
#[derive(Clone, Debug)]
pub struct ApiHandle {
    stop: watch::Sender<bool>,
}

impl ApiHandle {
    /// Takes no more requests, ends open streams at once and lets answers that are being written end; [`Api::run`]
    /// returns then. May be called before it runs, and more than once.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Api {
    /// Listens.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] for an address beyond loopback without tokens, and those of the system.
    pub fn bind(settings: &ApiSettings, adsum: Adsum) -> io::Result<Self> {
        if settings.tokens.is_empty() && !settings.listen.ip().is_loopback() {
            let listen = settings.listen;
            let why =
                format!("refusing to listen on {listen}: it is not loopback, and server.tokens is empty");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let listener = TcpListener::bind(settings.listen)?;
        metrics::started(adsum.now());
        Ok(Self {
            local_addr: listener.local_addr()?,
            listener,
            access: Arc::new(Access::new(&settings.tokens)),
            adsum,
            stop: watch::channel(false).0,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What stops it.
    pub fn handle(&self) -> ApiHandle {
        ApiHandle { stop: self.stop.clone() }
    }

    /// Serves until stopped. It needs a Tokio or an actix runtime, and handles no signals.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn run(self) -> io::Result<()> {
        let Self { listener, access, adsum, stop, .. } = self;
        let stopping = stop.subscribe();
        let (access, adsum) = (web::Data::from(access), web::Data::new(adsum));
        let streams = web::Data::new(Streams::new(stopping.clone()));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(access.clone())
                .app_data(adsum.clone())
                .app_data(streams.clone())
                .app_data(web::PayloadConfig::new(body::MAX_BODY_BYTES))
                .configure(routes::configure)
                .wrap(from_fn(access::check))
                .wrap(answer_headers())
                .wrap(Compress::default())
        })
        .workers(WORKERS)
        // A compressed answer is written in pieces: the last would wait 40 ms for the client's word about those before.
        .tcp_nodelay(true)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_TIMEOUT.as_secs())
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::select! {
            end = server => end,
            never = accompany(handle, stopping) => match never {},
        }
    }
}

/// Answers are the moment's own, and are what they say they are.
fn answer_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::CACHE_CONTROL, "no-store"))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

/// Keeps the metrics small while the server runs, and stops it when it should.
async fn accompany(handle: ServerHandle, mut stopping: watch::Receiver<bool>) -> Infallible {
    let mut upkeep = tokio::time::interval(metrics::UPKEEP);
    loop {
        tokio::select! {
            _ = upkeep.tick() => metrics::upkeep(),
            _ = stopping.wait_for(|stopping| *stopping) => break,
        }
    }
    // The command is on its way when this returns; whoever runs the server waits for its end.
    drop(handle.stop(true));
    std::future::pending().await
}
