use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tiny_http::{Header, Method, Request, Response, Server};

use crystalgym_training::RunFolder;

use crate::{PageMode, ReportData, ReportError, figures, page};

/// Time between two looks at whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// Serves the page of a folder on the loopback address, made anew when the folder has changed.
pub struct WatchServer {
    server: Server,
    address: SocketAddr,
    folder: PathBuf,
    last: Option<LastPage>,
}

/// A page as it was made, with the version of the folder that it shows.
struct LastPage {
    version: String,
    html: String,
    made_at: Instant,
    took: Duration,
}

/// A page is made anew after so many times the time that it takes, so that watching a large
/// benchmark leaves the processor to its runs.
const REST: u32 = 10;

impl WatchServer {
    /// Listens on 127.0.0.1; port 0 lets the system choose one.
    ///
    /// # Errors
    /// [`ReportError::NoRuns`] if there is nothing to watch, [`ReportError::Listen`] if the port is
    /// taken.
    pub fn start(folder: &Path, port: u16) -> Result<Self, ReportError> {
        // Says at once what is wrong with the folder, not in the browser.
        ReportData::as_it_stands(folder)?;
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |message: String| ReportError::Listen {
            address: wanted.to_string(),
            message,
        };
        let server = Server::http(wanted).map_err(|error| failed(error.to_string()))?;
        let address = (server.server_addr().to_ip()).ok_or_else(|| failed("no address".into()))?;
        Ok(Self {
            server,
            address,
            folder: folder.to_owned(),
            last: None,
        })
    }

    /// Where it is to be found.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers until `stop` turns true.
    pub fn serve(&mut self, stop: &dyn Fn() -> bool) {
        while !stop() {
            // An error is one of a single connection; the next one may be sound.
            if let Ok(Some(request)) = self.server.recv_timeout(PATIENCE) {
                let response = self.answer(&request);
                // A browser that has gone away needs no answer.
                let _ = request.respond(response);
            }
        }
    }

    fn answer(&mut self, request: &Request) -> Response<std::io::Cursor<Vec<u8>>> {
        if !matches!(request.method(), Method::Get | Method::Head) {
            return text(405, "only GET is served\n");
        }
        if !self.is_own_host(request) {
            return text(421, "this server answers on its own address only\n");
        }
        match request.url().split('?').next() {
            Some("/") => match self.current_page() {
                Ok(html) => with_type(Response::from_string(html), "text/html; charset=utf-8"),
                Err(error) => text(500, &format!("{error}\n")),
            },
            Some("/version") => text(200, &self.current_version()),
            _ => text(404, "not here; the page is at /\n"),
        }
    }

    /// A page elsewhere whose name was made to resolve to this machine sends its own name.
    fn is_own_host(&self, request: &Request) -> bool {
        let port = self.address.port();
        let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let mut hosts = request
            .headers()
            .iter()
            .filter(|header| header.field.equiv("Host"));
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => own.iter().any(|own| host.value.as_str() == own.as_str()),
            _ => false,
        }
    }

    /// The version of the page that would be served now.
    fn current_version(&self) -> String {
        match &self.last {
            Some(last) if last.made_at.elapsed() < REST * last.took => last.version.clone(),
            _ => folder_version(&self.folder),
        }
    }

    fn current_page(&mut self) -> Result<String, ReportError> {
        let version = self.current_version();
        if let Some(last) = &self.last
            && last.version == version
        {
            return Ok(last.html.clone());
        }
        let start = Instant::now();
        let data = ReportData::as_it_stands(&self.folder)?;
        let mode = PageMode::Watched {
            version: version.clone(),
        };
        let html = page(&data, &figures(&data), &mode);
        self.last = Some(LastPage {
            version,
            html: html.clone(),
            made_at: Instant::now(),
            took: start.elapsed(),
        });
        Ok(html)
    }
}

fn text(status: u16, message: &str) -> Response<std::io::Cursor<Vec<u8>>> {
    let response = Response::from_string(message).with_status_code(status);
    with_type(response, "text/plain; charset=utf-8")
}

fn with_type(
    response: Response<std::io::Cursor<Vec<u8>>>,
    content_type: &str,
) -> Response<std::io::Cursor<Vec<u8>>> {
    let headers = [
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ];
    let headers = headers.into_iter();
    headers
        .filter_map(|(name, value)| Header::from_bytes(name, value).ok())
        .fold(response, |response, header| response.with_header(header))
}

/// Changes with every file that the page is made of.
fn folder_version(folder: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    let mut look = |path: &Path| {
        let metadata = fs::metadata(path).ok();
        let seen = metadata.map(|data| (data.len(), data.modified().ok()));
        (path, seen).hash(&mut hasher);
    };
    look(&folder.join(RunFolder::CONFIG));
    look(&folder.join(RunFolder::EPISODES));
    let mut jobs: Vec<PathBuf> = (fs::read_dir(folder.join("jobs")).into_iter().flatten())
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    jobs.sort();
    for job in jobs {
        for file in [
            "job.json",
            "evaluation.csv",
            "formation_energies.csv",
            "run/episodes.csv",
        ] {
            look(&job.join(file));
        }
    }
    format!("{:016x}", hasher.finish())
}
