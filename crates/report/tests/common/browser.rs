//! Chromium under chromedriver, over plain WebDriver (W3C) with what Chromium adds to it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Key under which WebDriver names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser without a network; it ends with the value.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, with the reason printed, where Chromium or chromedriver is missing.
    pub(crate) fn start() -> Option<Self> {
        let driver = crystalgym_testing::program("chromedriver")?;
        let chromium = crystalgym_testing::program("chromium")?;
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .unwrap();
        // What the driver says later must not fill its pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        let agent = ureq::Agent::new_with_config(config);
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1400,900",
            // Names of hosts are not looked up: only this machine can be reached.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            &format!("--user-data-dir={}", profile.path().display()),
        ]
        .map(str::to_owned);
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent,
            _profile: profile,
        };
        let made = browser.post("", &capabilities);
        let id = made["sessionId"].as_str().unwrap().to_owned();
        browser.session += &format!("/{id}");
        Some(browser)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self
            .agent
            .post(&url)
            .header("Content-Type", "application/json");
        let mut response = request.send(body.to_string()).unwrap();
        let text = response
            .body_mut()
            .with_config()
            .limit(1 << 28)
            .read_to_string()
            .unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{path}: {value}");
        value
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// What a JavaScript function body returns.
    pub(crate) fn script(&self, body: &str) -> Value {
        self.post("/execute/sync", &json!({"script": body, "args": []}))
    }

    /// After the next frame has been drawn.
    pub(crate) fn after_a_frame(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => \
             done((() => {{ {body} }})())));"
        );
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits until a function body returns true.
    pub(crate) fn wait_for(&self, body: &str) {
        let start = Instant::now();
        while self.script(body) != Value::Bool(true) {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "never true: {body}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn element(&self, selector: &str) -> String {
        let found = self.post(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    pub(crate) fn click(&self, selector: &str) {
        // At once: where it is while the page still moves is nowhere to click.
        self.script(&format!(
            "document.querySelector({selector:?}).scrollIntoView({{block: 'center', behavior: \
             'instant'}});"
        ));
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    pub(crate) fn press(&self, selector: &str, keys: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/value"), &json!({"text": keys}));
    }

    /// Drags with a mouse from the middle of an element.
    pub(crate) fn drag(&self, selector: &str, by: (i32, i32)) {
        let element = self.element(selector);
        let origin = json!({ELEMENT: element});
        let actions = json!([
            {"type": "pointerMove", "duration": 0, "origin": origin, "x": 0, "y": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "duration": 60, "origin": "pointer", "x": by.0, "y": by.1},
            {"type": "pointerUp", "button": 0},
        ]);
        self.post(
            "/actions",
            &json!({"actions": [{"type": "pointer", "id": "mouse",
                "parameters": {"pointerType": "mouse"}, "actions": actions}]}),
        );
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn chromium(&self, command: &str, parameters: Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// As a screen of that width in CSS pixels has it.
    pub(crate) fn set_width(&self, width: u32, mobile: bool) {
        let zoom = if mobile { 2 } else { 1 };
        let screen = json!({"width": width, "height": 900, "deviceScaleFactor": zoom,
            "mobile": mobile});
        self.chromium("Emulation.setDeviceMetricsOverride", screen);
    }

    /// Problems that the console shows since the last look.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().unwrap().iter();
        let severe =
            entries.filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        severe.map(|entry| entry["message"].to_string()).collect()
    }

    /// Addresses that pages asked for since the last look, data within them left out.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "performance"}));
        let mut addresses = Vec::new();
        for entry in log.as_array().unwrap() {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = message["params"]["request"]["url"].as_str().unwrap();
                // The tab that a browser begins with is its own.
                if !url.starts_with("data:") && !url.starts_with("chrome://") {
                    addresses.push(url.to_owned());
                }
            }
        }
        addresses
    }

    /// The whole page as a PNG file in the folder that `CRYSTALGYM_SCREENSHOTS` names, if any.
    pub(crate) fn screenshot(&self, name: &str) {
        let Some(folder) = std::env::var_os("CRYSTALGYM_SCREENSHOTS") else {
            return;
        };
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        self.script("scrollTo({top: 0, behavior: 'instant'});");
        self.after_a_frame("return 0;");
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.chromium("Page.captureScreenshot", whole);
        let data = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), data).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; the driver itself is ended after it.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
