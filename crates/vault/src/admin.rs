//! The enrolment port: HTTPS without a client certificate. It answers `POST /v1/enroll` and `GET /health`, nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Extension, Json, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::SignedDuration;
use rustls::ServerConfig;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use crate::Vault;
use crate::control::SealState;
use crate::enrolment::{EnrolError, EnrolRefusal, EnrolRequest, REQUEST_BYTES_MAX};

/// Connections at a time. Enrolment is rare, and a health check is short.
const CONNECTIONS_MAX: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// For a connection as a whole, so that a dripping peer cannot hold its place.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests in hand may take when the vault stops.
const GRACE: Duration = Duration::from_secs(5);

/// What the port needs to know.
pub struct AdminPort {
    /// The vault, once it is unsealed.
    pub vault: watch::Receiver<Option<Arc<Vault>>>,
    /// How long certificates are valid.
    pub certificate_validity: SignedDuration,
}

/// Where a request comes from.
#[derive(Clone, Copy)]
struct Peer(SocketAddr);

/// Serves the port until `shutdown` says true.
pub async fn run(
    port: AdminPort,
    mut listener: TcpListener,
    tls: Arc<ServerConfig>,
    mut shutdown: watch::Receiver<bool>,
) {
    let router = Router::new()
        .route("/health", get(health))
        .route("/v1/enroll", post(enrol))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(Arc::new(port));
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while !*shutdown.borrow_and_update() {
        let (stream, peer) = tokio::select! {
            // `Listener::accept` waits out a lack of file descriptors instead of failing.
            accepted = axum::serve::Listener::accept(&mut listener) => accepted,
            _ = shutdown.changed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(%peer, "enrolment port: too many connections, one was refused");
            continue;
        };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        connections.spawn(async move {
            let served = timeout(CONNECTION_TIMEOUT, serve(stream, peer, acceptor, router)).await;
            if served.is_err() {
                tracing::debug!(%peer, "enrolment port: a connection took too long and was closed");
            }
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn serve(stream: TcpStream, peer: SocketAddr, acceptor: TlsAcceptor, router: Router) {
    let _ = stream.set_nodelay(true);
    let stream = match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "enrolment port: no TLS");
            return;
        }
        Err(_) => return,
    };
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request.map(Body::new))
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).keep_alive(false);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%peer, %error, "enrolment port");
    }
}

#[derive(Serialize)]
struct Health {
    state: SealState,
}

async fn health(State(port): State<Arc<AdminPort>>) -> Response {
    let (status, state) = match &*port.vault.borrow() {
        Some(_) => (StatusCode::OK, SealState::Unsealed),
        None => (StatusCode::SERVICE_UNAVAILABLE, SealState::Sealed),
    };
    (status, Json(Health { state })).into_response()
}

async fn enrol(
    State(port): State<Arc<AdminPort>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Result<Json<EnrolRequest>, JsonRejection>,
) -> Response {
    let request = match request {
        Ok(Json(request)) => request,
        Err(rejection) => {
            // The rejection's own text may quote the body, and with it the secret.
            return refuse(rejection.status(), "bad-request", "the enrolment request cannot be understood");
        }
    };
    let vault = port.vault.borrow().clone();
    let Some(vault) = vault else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "sealed",
            "the vault is sealed; unseal it, then try again",
        );
    };
    match vault.enrol(&request, port.certificate_validity, Some(peer)).await {
        Ok(reply) => {
            tracing::info!(endpoint = reply.name, %peer, "enrolled");
            Json(reply).into_response()
        }
        Err(error) => {
            let status = match &error {
                EnrolError::TokenUnknown | EnrolError::TokenUsed | EnrolError::TokenExpired => {
                    StatusCode::FORBIDDEN
                }
                EnrolError::BadRequest(_) => StatusCode::BAD_REQUEST,
                EnrolError::Failed(cause) => {
                    tracing::error!(%peer, %cause, "enrolment failed");
                    StatusCode::INTERNAL_SERVER_ERROR
                }
            };
            refuse(status, error.reason(), &error.to_string())
        }
    }
}

fn refuse(status: StatusCode, reason: &str, message: &str) -> Response {
    let refusal = EnrolRefusal { reason: reason.to_owned(), message: message.to_owned() };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(refusal)).into_response()
}
