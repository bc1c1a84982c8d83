//! The server: a listener, the routes, and the timer that lets users time out.

use std::any::Any;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::{App, HttpServer, middleware, web};
use futures_util::future::join;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::http::{self, Service};
use super::settings::OriginSettings;

/// Threads that serve requests.
const WORKERS: usize = 2;
/// Connections each of them serves at a time, so also the polls that may be held.
const CONNECTIONS_PER_WORKER: usize = 20_000;
/// How long an idle connection is kept: longer than a poller's interval, or a request meets a closing connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The shortest timeout and interval there are.
const SHORTEST: Duration = Duration::from_millis(1);
/// The shortest presence timeout a client can ask for. A timer that naps no longer misses no deadline set meanwhile.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// The embedded Presence API server: bound, and ready to [`run`](Self::run).
#[derive(Debug)]
pub struct Origin {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
}

/// Stops a running [`Origin`].
#[derive(Debug, Clone)]
pub struct OriginHandle {
    stop: watch::Sender<bool>,
}

impl OriginHandle {
    /// Makes [`Origin::run`] return. Held polls are dropped; presence is forgotten.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Origin {
    /// Binds the address of the settings. Connections queue until [`run`](Self::run) serves them.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or the presence timeout or announce interval is under 1 ms.
    pub fn bind(settings: OriginSettings) -> io::Result<Self> {
        if settings.presence_timeout.min(settings.announce_interval) < SHORTEST {
            let reason = "the presence timeout and the announce interval are 1 ms at least";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let listener = TcpListener::bind(settings.listen)?;
        let address = listener.local_addr()?;
        let service = Arc::new(Service::new(settings));
        Ok(Self { listener, address, service, stop: watch::Sender::new(false) })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A handle to stop it with.
    pub fn handle(&self) -> OriginHandle {
        OriginHandle { stop: self.stop.clone() }
    }

    /// Serves until it is stopped. It handles no signals, and runs inside an actix system as well as on plain tokio.
    ///
    /// # Errors
    ///
    /// When the server cannot be started, or fails as a whole.
    pub async fn run(self) -> io::Result<()> {
        let (service, known) = (self.service.clone(), self.service.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(service.clone()))
                .wrap(middleware::Compress::default())
                .default_service(web::to(http::answer))
        })
        .on_connect(move |connection, data| keep_to_reset(&known, connection, data))
        .workers(WORKERS)
        .max_connections(CONNECTIONS_PER_WORKER)
        .keep_alive(KEEP_ALIVE)
        // A client that closes its end has hung up: its poll no longer keeps the user present (PROTOCOL.md 2.6).
        .h1_allow_half_closed(false)
        .disable_signals()
        .listen(self.listener)?
        .run();
        let handle = server.handle();
        let mut server = pin!(server);
        let mut stop = self.stop.subscribe();
        tokio::select! {
            result = &mut server => return result,
            never = keep_time(&self.service) => match never {},
            _ = stop.wait_for(|stop| *stop) => {}
        }
        let (result, ()) = join(server, handle.stop(false)).await;
        result
    }
}

/// Lets timeouts and intervals happen when they are due, though nobody asks.
async fn keep_time(service: &Service) -> Infallible {
    let longest = LONGEST_NAP.min(service.settings.presence_timeout).min(service.settings.announce_interval);
    loop {
        let nap = service.advance().map_or(longest, |due| due.min(longest));
        tokio::time::sleep(nap).await;
    }
}

/// Keeps a second handle of a connection that a fault may have to reset: HTTP does not hand out the first.
fn keep_to_reset(service: &Service, connection: &dyn Any, data: &mut Extensions) {
    let stream = connection.downcast_ref::<TcpStream>().filter(|_| service.faults.resets());
    match stream.map(|stream| stream.as_fd().try_clone_to_owned()) {
        Some(Ok(handle)) => drop(data.insert(TcpSocket::from_std_stream(handle.into()))),
        Some(Err(error)) => tracing::warn!(%error, "a connection will not be reset"),
        None => {}
    }
}
