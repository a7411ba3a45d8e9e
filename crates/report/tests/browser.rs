//! The page in a real browser: Chromium, without a network.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use common::{browser::Browser, finished_benchmark};
use crystalgym_report::{ReportData, WatchServer, write_report};
use serde_json::json;

/// How many different colours the first crystal is drawn with.
const COLOURS: &str = "const c = document.querySelector('.stage canvas');
    const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    const seen = new Set();
    for (let i = 0; i < p.length; i += 4) if (p[i + 3]) seen.add(p[i] << 16 | p[i + 1] << 8 | p[i + 2]);
    return seen.size;";
const PICTURE: &str = "return document.querySelector('.stage canvas').toDataURL();";
/// Which learning curves can be seen, by the last part of their names.
const SHOWN_AXES: &str = "return [...document.querySelectorAll('.choices > figure')]
    .filter(f => f.offsetParent !== null).map(f => f.id.split('-').pop());";
/// The smallest text that can be seen, in pixels of the screen.
const SMALLEST_TEXT: &str = "let least = 99;
    for (const text of document.querySelectorAll('svg text')) {
        if (!text.getClientRects().length) continue;
        const svg = text.ownerSVGElement, box = svg.viewBox.baseVal;
        const scale = svg.getBoundingClientRect().width / box.width;
        least = Math.min(least, scale * parseFloat(getComputedStyle(text).fontSize));
    }
    for (const place of document.querySelectorAll('p, td, th, li, dt, label, summary, span')) {
        if (place.getClientRects().length && place.innerText.trim())
            least = Math.min(least, parseFloat(getComputedStyle(place).fontSize));
    }
    return least;";
const OVERFLOW: &str =
    "return document.documentElement.scrollWidth - document.documentElement.clientWidth;";

#[test]
fn the_page_opens_from_disk_and_can_be_used() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // A folder of one's own benchmark to look at instead, for pictures of it.
    let looked_at = std::env::var_os("CRYSTALGYM_BENCHMARK_FOLDER");
    let benchmark = match &looked_at {
        Some(folder) => std::path::PathBuf::from(folder),
        None => {
            let jobs = finished_benchmark(folder.path());
            // One that is left out, so that the notice is there.
            fs::write(jobs[0].folder(folder.path()).join("job.json"), "").unwrap();
            folder.path().to_owned()
        }
    };
    let data = ReportData::of_benchmark(&benchmark).unwrap();
    let page = write_report(&data, &benchmark.join("report")).unwrap().page;
    let address = format!("file://{}", page.canonicalize().unwrap().display());

    browser.set_width(1400, false);
    browser.open(&address);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert_eq!(browser.requests(), std::slice::from_ref(&address));
    assert_eq!(browser.script(OVERFLOW), json!(0));
    if looked_at.is_none() {
        let notice = browser.script("return document.querySelector('.notice').innerText;");
        assert!(notice.as_str().unwrap().contains("no manifest"), "{notice}");
    }

    // Where rewards come from and who is best stand at the head; numbers stand to the right, and no
    // text is smaller than 11 pixels, in pictures neither.
    if looked_at.is_none() {
        let badge = browser.script("return document.querySelector('.badge.no-dft').innerText;");
        assert_eq!(badge, json!("Rewards: no DFT: textbook formulas"));
        let verdict = browser.script("return document.querySelector('.verdict').innerText;");
        let verdict = verdict.as_str().unwrap();
        assert!(
            verdict.contains("Best finds of searches") && verdict.contains(" on C"),
            "{verdict}"
        );
    }
    let right = "return getComputedStyle(document.querySelector('td.number')).textAlign;";
    assert_eq!(browser.script(right), json!("right"));
    assert!(browser.script(SMALLEST_TEXT).as_f64().unwrap() >= 10.99);

    // Crystals are drawn, turn with mouse and keys, and go back.
    browser.script(
        "document.querySelector('.stage').scrollIntoView({block: 'center', behavior: 'instant'});",
    );
    let crystals = "return document.querySelectorAll('.stage').length;";
    let canvases = "return document.querySelectorAll('.stage canvas').length;";
    assert_eq!(browser.script(crystals), browser.script(canvases));
    assert!(browser.after_a_frame(COLOURS).as_u64().unwrap() > 200);
    let first = browser.after_a_frame(PICTURE);
    browser.drag(".stage canvas", (50, 20));
    let dragged = browser.after_a_frame(PICTURE);
    assert_ne!(dragged, first);
    browser.press(".stage canvas", "\u{e012}");
    let turned = browser.after_a_frame(PICTURE);
    assert!(turned != dragged && turned != first);
    browser.press(".stage canvas", "\u{e011}");
    assert_eq!(browser.after_a_frame(PICTURE), first);

    // The axis of all learning curves is chosen at once.
    let axes = browser.script(SHOWN_AXES);
    assert!(
        axes.as_array()
            .unwrap()
            .iter()
            .all(|axis| axis == "calculations"),
        "{axes}"
    );
    browser.click(".choices > label:nth-of-type(2)");
    let axes = browser.script(SHOWN_AXES);
    assert!(!axes.as_array().unwrap().is_empty());
    assert!(
        (axes.as_array().unwrap().iter()).all(|axis| axis == "steps" || axis == "episodes"),
        "{axes}"
    );
    browser.click(".choices > label:nth-of-type(1)");

    // A table is sorted by the column whose head is pressed.
    browser.click("#table-searches th:nth-of-type(6) button");
    let column = browser.script(
        "return [...document.querySelectorAll('#table-searches td:nth-of-type(6)')]
            .map(cell => parseFloat(cell.textContent));",
    );
    let column: Vec<f64> = serde_json::from_value(column).unwrap();
    assert!(column.is_sorted() && column.len() > 1, "{column:?}");

    let background = "return getComputedStyle(document.body).backgroundColor;";
    let light = browser.script(background);
    browser.screenshot("report-wide");
    let dark = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    browser.chromium("Emulation.setEmulatedMedia", dark);
    assert_ne!(browser.script(background), light);
    browser.after_a_frame("return 0;");
    browser.screenshot("report-dark");
    browser.chromium("Emulation.setEmulatedMedia", json!({"features": []}));

    // Narrow, as on a telephone.
    browser.set_width(390, true);
    browser.open(&address);
    assert_eq!(browser.script("return window.innerWidth;"), json!(390));
    assert_eq!(browser.script(OVERFLOW), json!(0));
    browser.after_a_frame("return 0;");
    assert!(browser.script(SMALLEST_TEXT).as_f64().unwrap() >= 10.99);
    // A table that is wider than the screen says that it goes on.
    let hint = "return [...document.querySelectorAll('.goes-on')]
        .filter(note => !note.hidden && note.innerText.includes('more columns')).length;";
    assert!(browser.script(hint).as_u64().unwrap() > 0);
    browser.screenshot("report-narrow");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Without a script the figures, the pictures of the crystals and the choice of the axis remain.
#[test]
fn the_page_is_of_use_without_scripts() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    finished_benchmark(folder.path());
    let data = ReportData::of_benchmark(folder.path()).unwrap();
    let page = write_report(&data, &folder.path().join("report"))
        .unwrap()
        .page;
    browser.chromium(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": true}),
    );
    browser.open(&format!("file://{}", page.display()));
    assert_eq!(
        browser.script("return document.querySelectorAll('canvas').length;"),
        json!(0)
    );
    let height = "return document.querySelector('.stage svg').getBoundingClientRect().height;";
    assert!(browser.script(height).as_f64().unwrap() > 100.0);
    browser.click(".choices > label:nth-of-type(2)");
    let axes = browser.script(SHOWN_AXES);
    let chosen = |axis: &str| axes.as_array().unwrap().contains(&json!(axis));
    assert!(chosen("episodes") || chosen("steps"), "{axes}");
}

#[test]
fn a_watched_page_follows_the_folder() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let jobs = finished_benchmark(folder.path());
    // A job that is under way: not finished yet, with the last row in the writing.
    let job = jobs[0].folder(folder.path());
    jobs[0].manifest.write(&job).unwrap();
    let episodes = job.join("run/episodes.csv");
    let text = fs::read_to_string(&episodes).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    let begun = format!("{}\n{}", rows[..6].join("\n"), &rows[6][..9]);
    fs::write(&episodes, &begun).unwrap();

    let server = WatchServer::start(folder.path(), 0).unwrap();
    let (url, stop) = (server.url(), Arc::new(AtomicBool::new(false)));
    let asked = Arc::clone(&stop);
    let serving = thread::spawn(move || server.serve(&|| asked.load(Ordering::Relaxed)));
    browser.open(&url);
    let shown =
        "return document.querySelector('#running + * tbody td:nth-of-type(4)').textContent;";
    assert_eq!(browser.script(shown), json!("5"));
    let episodes_label = ".choices > label[for$=episodes]";
    browser.click(episodes_label);
    let mut file = fs::OpenOptions::new().append(true).open(&episodes).unwrap();
    write!(file, "{}\n{}\n", &rows[6][9..], rows[7]).unwrap();
    browser.wait_for(&shown.replace(".textContent", ".textContent === '7'"));
    // What had been chosen stays chosen, and only this machine was asked.
    let axes = browser.script(SHOWN_AXES);
    assert_eq!(axes[0], json!("episodes"), "{axes}");
    assert!(
        browser
            .requests()
            .iter()
            .all(|address| address.starts_with(&url))
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // The last job is finished, and the page says so.
    let state = "return document.getElementById('watch-state').textContent;";
    assert_eq!(browser.script(state), json!("live"));
    fs::write(&episodes, text).unwrap();
    let mut done = jobs[0].manifest.clone();
    done.status = crystalgym_benchmark::JobStatus::Finished;
    done.write(&job).unwrap();
    browser.wait_for(&state.replace(".textContent", ".textContent === 'finished'"));
    stop.store(true, Ordering::Relaxed);
    serving.join().unwrap().unwrap();
}
