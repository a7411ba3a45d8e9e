//! The page: one file that holds everything and asks the network for nothing.

mod head;
mod mode;
mod sections;

pub use mode::PageMode;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::{
    canvas::escape,
    data::ReportData,
    figure::Figure,
    png::{REGULAR, SEMI_BOLD},
    style::page_rules,
};

const STYLE: &str = include_str!("../../assets/page/style.css");
const VIEWER: &str = include_str!("../../assets/page/viewer.js");
const TABLES: &str = include_str!("../../assets/page/tables.js");
const START: &str = include_str!("../../assets/page/start.js");
const WATCH: &str = include_str!("../../assets/page/watch.js");

/// The page of a report. Nothing in it comes from elsewhere, and its content security policy lets the
/// browser load nothing; only a watched page may ask its own server.
pub fn page(data: &ReportData, figures: &[Figure], mode: &PageMode) -> String {
    let mut script = [VIEWER, TABLES, START].concat();
    let (version, connect) = match mode {
        PageMode::File => (String::new(), ""),
        PageMode::Watched { version } => {
            script += WATCH;
            script += "startWatching();\n";
            (version.clone(), "; connect-src 'self'")
        }
    };
    // The only script that runs is this one, whatever a folder's names and reasons hold.
    let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; \
         script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'{connect}"
    );
    let face = |weight: u32, font: &[u8]| {
        format!(
            "@font-face{{font-family:Inter;font-weight:{weight};font-display:swap;\
             src:url(data:font/otf;base64,{})}}",
            STANDARD.encode(font)
        )
    };
    let title = escape(&data.title);
    format!(
        "<!doctype html>\n<html lang=\"en\" data-version=\"{version}\">\n<head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title} \u{b7} {stamp}</title>\n\
         <style>{regular}{semi_bold}{rules}{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the content</a>\n\
         <div class=\"page\" id=\"content\">\n{body}</div>\n\
         <script>{script}</script>\n</body>\n</html>\n",
        version = escape(&version),
        stamp = escape(&data.stamp),
        regular = face(400, REGULAR),
        semi_bold = face(600, SEMI_BOLD),
        rules = page_rules(),
        body = sections::body(data, figures, mode),
    )
}
