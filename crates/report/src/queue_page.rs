//! The page of a queue: what waits, who works, what came of it, and how long it will take.

use std::fmt::Write as _;

use crystalgym_evaluation::QueueStatus;

use crate::canvas::escape;

/// The whole page. It asks for itself every five seconds, without a script.
pub(crate) fn queue_page(server: &str, status: &QueueStatus) -> String {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"5\">\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>CrystalGym queue</title><style>\
         body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;\
         color:#222;background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\
         table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem;\
         border-bottom:1px solid #ddd}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
         @media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}\
         td,th{border-color:#444}}</style></head><body>",
    );
    let _ = write!(html, "<h1>Queue of {}</h1>", escape(server));
    let busy: u64 = status.workers.iter().map(|worker| worker.running).sum();
    let threads = status.threads();
    let forecast = match status.forecast_seconds() {
        _ if status.count("waiting") + status.count("taken") == 0 => "nothing waits".to_owned(),
        Some(seconds) => format!("about {}", duration(seconds)),
        None => "no worker".to_owned(),
    };
    let stored: u64 = status.results.iter().map(|(.., count)| count).sum();
    html += &table(
        &["", ""],
        &[
            ["waiting".to_owned(), status.count("waiting").to_string()],
            ["under way".to_owned(), status.count("taken").to_string()],
            [
                "set aside".to_owned(),
                status.count("set_aside").to_string(),
            ],
            ["until the queue is empty".to_owned(), forecast],
            ["threads at work".to_owned(), format!("{busy} of {threads}")],
            [
                "results in the last minute".to_owned(),
                status.last_minute.to_string(),
            ],
            ["results".to_owned(), stored.to_string()],
            [
                "calculated so far".to_owned(),
                duration(status.computed_seconds),
            ],
        ],
    );
    html += "<h2>Workers</h2>";
    let workers = status.workers.iter().map(|worker| {
        let utilisation =
            worker.busy_seconds / (worker.up_seconds * worker.threads as f64).max(1e-9);
        [
            worker.host.clone(),
            format!("{} of {}", worker.running, worker.threads),
            worker.finished.to_string(),
            format!("{:.0} %", 100.0 * utilisation.min(1.0)),
            duration(worker.up_seconds),
            worker.refusal.clone().unwrap_or_default(),
        ]
    });
    let head = ["machine", "running", "done", "busy", "up for", "refuses"];
    html += &table(&head, &workers.collect::<Vec<_>>());
    html += "<h2>Results</h2>";
    let results = status
        .results
        .iter()
        .map(|(calculator, property, outcome, count)| {
            [
                calculator.clone(),
                property.clone(),
                outcome.clone(),
                count.to_string(),
            ]
        });
    let head = ["calculator", "property", "success or failure", "number"];
    html += &table(&head, &results.collect::<Vec<_>>());
    html + "</body></html>\n"
}

fn table<const N: usize>(head: &[&str; N], rows: &[[String; N]]) -> String {
    let mut html = String::from("<table>");
    if head.iter().any(|name| !name.is_empty()) {
        let cells = head.iter().map(|name| format!("<th>{name}</th>"));
        let _ = write!(html, "<tr>{}</tr>", cells.collect::<String>());
    }
    for row in rows {
        let cells = row.iter().map(|text| format!("<td>{}</td>", escape(text)));
        let _ = write!(html, "<tr>{}</tr>", cells.collect::<String>());
    }
    html + "</table>"
}

/// `95 s`, `12 min`, `3.2 h`, `4.1 days`.
fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds < 120.0 => format!("{seconds:.0} s"),
        _ if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        _ if seconds < 172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86400.0),
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_evaluation::WorkerStatus;

    use super::*;

    #[test]
    fn a_page_shows_numbers_and_obeys_nothing() {
        let status = QueueStatus {
            jobs: vec![("waiting".to_owned(), 120), ("taken".to_owned(), 8)],
            expected_seconds: 640.0,
            workers: vec![WorkerStatus {
                name: "w".to_owned(),
                host: "<script>x</script>".to_owned(),
                threads: 8,
                running: 8,
                finished: 3,
                busy_seconds: 40.0,
                up_seconds: 10.0,
                seen_seconds: 1.0,
                refusal: None,
            }],
            results: vec![(
                "native".to_owned(),
                "density".to_owned(),
                "success".to_owned(),
                3,
            )],
            computed_seconds: 40.0,
            last_minute: 3,
        };
        let html = queue_page("postgres://u@h/d", &status);
        for text in [
            "<td>120</td>",
            "about 80 s",
            "8 of 8",
            "50 %",
            "&lt;script&gt;",
        ] {
            assert!(html.contains(text), "{text}\n{html}");
        }
        assert!(!html.contains("<script"));
        let idle = queue_page("postgres://u@h/d", &QueueStatus::default());
        assert!(idle.contains("nothing waits"));
    }
}
