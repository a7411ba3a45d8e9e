//! The server that shows a folder while runs go on: to this machine alone, and whatever clients do.
//!
//! Clients are served side by side by one thread; a page is made on another. What a client may take
//! is bounded: the size of a request's head, the time until it is there, the time of a connection,
//! and the number of connections. Bodies of requests are never read.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crystalgym_evaluation::ResultStore;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, runtime, time::timeout};

use crate::{ReportData, ReportError, watched::WatchedPage};

/// Time between two looks at whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// Time within which a client has to send the head of a request, also of its next one.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// Longest time of a connection; a browser opens another one.
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// Time that connections have to end in once the server stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// Largest head of a request in bytes, and its most lines.
const HEAD_BYTES: usize = 16 << 10;
const HEAD_LINES: usize = 64;
/// Connections at the same time; the system keeps others waiting.
const MOST_CONNECTIONS: usize = 512;

/// Serves the page of a folder or a queue on the loopback address, made anew when the folder has changed.
pub struct WatchServer {
    listener: TcpListener,
    address: SocketAddr,
    page: Arc<Mutex<WatchedPage>>,
}

/// What all connections share.
struct Shared {
    page: Arc<Mutex<WatchedPage>>,
    port: u16,
    stopping: AtomicBool,
    connections: AtomicUsize,
}

impl WatchServer {
    /// Listens on 127.0.0.1; port 0 lets the system choose one.
    ///
    /// # Errors
    /// [`ReportError::NoRuns`] if there is nothing to watch, [`ReportError::Listen`] if the port is
    /// taken.
    pub fn start(folder: &Path, port: u16) -> Result<Self, ReportError> {
        // Says at once what is wrong with the folder, not in the browser.
        ReportData::as_it_stands(folder)?;
        Self::listen(WatchedPage::of(PathBuf::from(folder)), port)
    }

    /// As [`Self::start`], for the queue of a store on a server.
    ///
    /// # Errors
    /// [`ReportError::Queue`] if it has none or cannot be asked, [`ReportError::Listen`].
    pub fn start_for_queue(store: ResultStore, port: u16) -> Result<Self, ReportError> {
        store.queue_status().map_err(ReportError::Queue)?;
        Self::listen(WatchedPage::of_queue(store), port)
    }

    fn listen(page: WatchedPage, port: u16) -> Result<Self, ReportError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = || -> io::Result<(TcpListener, SocketAddr)> {
            let listener = TcpListener::bind(wanted)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().map_err(|error| listen_error(wanted, &error))?;
        Ok(Self {
            listener,
            address,
            page: Arc::new(Mutex::new(page)),
        })
    }

    /// Where it is to be found.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers until `stop` turns true; what is being answered then is finished.
    ///
    /// # Errors
    /// [`ReportError::Listen`] if the system has no means to serve.
    pub fn serve(self, stop: &dyn Fn() -> bool) -> Result<(), ReportError> {
        let failed = |error: &io::Error| listen_error(self.address, error);
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(2)
            .build()
            .map_err(|error| failed(&error))?;
        let shared = Arc::new(Shared {
            page: Arc::clone(&self.page),
            port: self.address.port(),
            stopping: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            while !stop() {
                if shared.connections.load(Ordering::Acquire) >= MOST_CONNECTIONS {
                    tokio::time::sleep(PATIENCE).await;
                    continue;
                }
                // An error is one of a single connection, or passes: no file descriptor is free.
                match timeout(PATIENCE, listener.accept()).await {
                    Ok(Ok((stream, _))) => {
                        shared.connections.fetch_add(1, Ordering::AcqRel);
                        tokio::spawn(connection(stream, Arc::clone(&shared)));
                    }
                    Ok(Err(_)) => tokio::time::sleep(PATIENCE).await,
                    Err(_) => {}
                }
            }
            drop(listener);
            shared.stopping.store(true, Ordering::Release);
            let until = Instant::now() + FAREWELL;
            while shared.connections.load(Ordering::Acquire) > 0 && Instant::now() < until {
                tokio::time::sleep(PATIENCE / 10).await;
            }
            Ok::<(), io::Error>(())
        });
        // A page in the making is not waited for.
        runtime.shutdown_background();
        served.map_err(|error| listen_error(self.address, &error))
    }
}

fn listen_error(address: SocketAddr, error: &io::Error) -> ReportError {
    ReportError::Listen {
        address: address.to_string(),
        message: error.to_string(),
    }
}

/// Counts a connection down when it ends, however it ends.
struct Counted(Arc<Shared>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let counted = Counted(Arc::clone(&shared));
    let service = service_fn(|request| answer(request, Arc::clone(&shared)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_LINES)
            .title_case_headers(true)
            .serve_connection(TokioIo::new(stream), service)
    );
    let started = Instant::now();
    let mut leaving = false;
    while timeout(PATIENCE, connection.as_mut()).await.is_err() {
        if started.elapsed() > CONNECTION_TIME {
            break;
        }
        if !leaving && shared.stopping.load(Ordering::Acquire) {
            leaving = true;
            connection.as_mut().graceful_shutdown();
        }
    }
    drop(counted);
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET is served\n".to_owned(),
        ));
    }
    if !is_own_host(&request, shared.port) {
        return Ok(text(
            StatusCode::MISDIRECTED_REQUEST,
            "this server answers on its own address only\n".to_owned(),
        ));
    }
    let wants_version = match request.uri().path() {
        "/" => false,
        "/version" => true,
        _ => {
            let message = "not here; the page is at /\n".to_owned();
            return Ok(text(StatusCode::NOT_FOUND, message));
        }
    };
    let page = Arc::clone(&shared.page);
    let made = tokio::task::spawn_blocking(move || {
        let mut page = page.lock().unwrap_or_else(PoisonError::into_inner);
        match wants_version {
            true => text(StatusCode::OK, page.current_version()),
            false => match page.current() {
                Ok(html) => response(StatusCode::OK, html, "text/html; charset=utf-8"),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
        }
    });
    Ok(made.await.unwrap_or_else(|_| {
        let message = "the page could not be made\n".to_owned();
        text(StatusCode::INTERNAL_SERVER_ERROR, message)
    }))
}

/// A page elsewhere whose name was made to resolve to this machine sends its own name.
fn is_own_host<B>(request: &Request<B>, port: u16) -> bool {
    let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let is_own = |host: &str| own.iter().any(|own| own == host);
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let named = match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
        (Some(Ok(host)), None) => is_own(host),
        _ => false,
    };
    // A request to a proxy names a host of its own.
    let asked = request.uri().authority();
    named && asked.is_none_or(|authority| is_own(authority.as_str()))
}

fn text(status: StatusCode, message: String) -> Response<Full<Bytes>> {
    response(status, Bytes::from(message), "text/plain; charset=utf-8")
}

fn response(status: StatusCode, body: Bytes, content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
