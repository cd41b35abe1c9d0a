//! A desk to try the app at: a screen of its own, a session bus, homes, the checkout's daemon, and tauri-driver.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fantoccini::{
    Client, ClientBuilder,
    elements::{Element, ElementRef},
    key::Key,
    wd::Capabilities,
};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Nothing is asserted of time; without an end a test would not end either.
const PATIENCE: Duration = Duration::from_secs(60);

/// What has to be there, besides a display server's worth of libraries.
pub fn missing() -> Option<String> {
    let tools = ["Xvfb", "dbus-run-session", "WebKitWebDriver", "tauri-driver", "ps"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).exists());
    let gone: Vec<&str> = tools.into_iter().filter(|tool| !there(tool)).collect();
    (!gone.is_empty()).then(|| format!("{} not here", gone.join(", ")))
}

pub struct Desk {
    home: tempfile::TempDir,
    screen: Child,
    display: String,
}

impl Desk {
    pub fn new() -> Result<Self> {
        let home = tempfile::tempdir()?;
        for folder in ["work", "run"] {
            fs::create_dir(home.path().join(folder))?;
        }
        fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o700))?;
        let daemon = home.path().join("aster-desktop");
        fs::write(&daemon, format!("#!/bin/sh\nexec '{}' -m aster_sidecar \"$@\"\n", python().display()))?;
        fs::set_permissions(&daemon, fs::Permissions::from_mode(0o755))?;
        let mut screen = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut number = String::new();
        BufReader::new(screen.stdout.take().ok_or("no stdout")?).read_line(&mut number)?;
        Ok(Self { home, screen, display: format!(":{}", number.trim()) })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.path("share/app.aster.desktop/data").join(name)
    }

    /// Starts the app, at this desk; what it remembers is there from the start before.
    pub async fn launch(&self) -> Result<App> {
        let app = self.open(Path::new(env!("CARGO_BIN_EXE_aster-app"))).await?;
        app.until("window.asterHost && document.querySelector('#root > *')").await?;
        // Waits for the engine.
        if let Err(cause) = app.ask("GET", "/api/agents", None).await {
            let log = fs::read_to_string(self.data("logs/engine.log")).unwrap_or_default();
            return Err(format!("{cause}\n{log}").into());
        }
        Ok(app)
    }

    /// Starts any program with a WebKit of Tauri's in it.
    pub async fn open(&self, program: &Path) -> Result<App> {
        let (port, native) = (free_port()?, free_port()?);
        let mut driver = Command::new("dbus-run-session");
        driver
            .current_dir(self.home.path())
            .args(["--", "tauri-driver", "--port", &port.to_string(), "--native-port", &native.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ASTER_") {
                driver.env_remove(name);
            }
        }
        let folder = |name: &str| self.path(name).display().to_string();
        driver.envs([
            ("ASTER_MODEL", "demo:instant".to_owned()),
            ("ASTER_SIDECAR_BINARY", folder("aster-desktop")),
            ("ASTER_WORK_DIR", folder("work")),
            ("DISPLAY", self.display.clone()),
            ("HOME", folder("")),
            // No graphics card here.
            ("LIBGL_ALWAYS_SOFTWARE", "1".to_owned()),
            ("NO_AT_BRIDGE", "1".to_owned()),
            ("PYTHONPATH", repository().display().to_string()),
            ("WEBKIT_DISABLE_DMABUF_RENDERER", "1".to_owned()),
            ("XDG_CACHE_HOME", folder("cache")),
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_DATA_HOME", folder("share")),
            ("XDG_RUNTIME_DIR", folder("run")),
        ]);
        let driver = Driver(driver.spawn()?);
        for port in [native, port] {
            until("tauri-driver", || TcpStream::connect(("127.0.0.1", port)).is_ok()).await?;
        }
        let mut wanted = Capabilities::new();
        wanted.insert("tauri:options".into(), json!({ "application": program }));
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await?;
        Ok(App { page, _driver: driver, display: self.display.clone(), sidecar: self.data("sidecar.json") })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.screen.kill();
        let _ = self.screen.wait();
    }
}

/// The driver with all that it started but the app's daemon, which ends by itself.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

pub struct App {
    page: Client,
    _driver: Driver,
    display: String,
    sidecar: PathBuf,
}

impl App {
    /// What an expression is in the page.
    pub async fn value(&self, expression: &str) -> Result<Value> {
        Ok(self.page.execute(&format!("return ({expression});"), Vec::new()).await?)
    }

    /// What a promise in the page becomes; its refusal as text in `refused`.
    pub async fn promised(&self, expression: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[0]; ({expression}).then((one) => done(one ?? null), (cause) => done({{ refused: cause.message }}));"
        );
        Ok(self.page.execute_async(&script, Vec::new()).await?)
    }

    pub async fn until(&self, expression: &str) -> Result<()> {
        let since = Instant::now();
        // The page may be on its way to another place.
        while self.value(&format!("!!({expression})")).await.ok() != Some(Value::Bool(true)) {
            if since.elapsed() > PATIENCE {
                let shown = self.value("document.body.innerText").await?;
                return Err(format!("not so: {expression}; the page shows {shown}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    pub async fn shows(&self, text: &str) -> Result<()> {
        self.until(&format!("document.body.innerText.includes({})", json!(text))).await
    }

    /// An answer of the daemon, as the page gets it.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let body = body.map_or(Value::Null, |body| body.to_string().into());
        let asked = format!("window.asterHost.request({}, {}, {})", json!(method), json!(path), body);
        let answer = self.promised(&asked).await?;
        if answer["status"] != 200 {
            return Err(format!("{method} {path}: {answer}").into());
        }
        let said: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
        Ok(said["data"].clone())
    }

    /// Past the first run, to where one can talk.
    pub async fn talk(&self) -> Result<()> {
        self.click("Start talking").await?;
        self.until("document.querySelector('textarea:not([disabled])')").await
    }

    /// Types into the composer as a person does, and sends.
    pub async fn say(&self, text: &str) -> Result<()> {
        let composer = self.page.wait().for_element(fantoccini::Locator::Css("textarea:not([disabled])")).await?;
        composer.click().await?;
        composer.send_keys(&format!("{text}{}", char::from(Key::Enter))).await?;
        Ok(())
    }

    /// Clicks the first button or link that is called so.
    pub async fn click(&self, name: &str) -> Result<()> {
        let find = format!(
            "[...document.querySelectorAll('button, a')].find((one) => one.offsetParent !== null && !one.disabled && \
             (one.innerText.trim().startsWith({0}) || one.getAttribute('aria-label') === {0}))",
            json!(name)
        );
        self.until(&find).await?;
        let found = self.page.execute(&format!("return {find};"), Vec::new()).await?;
        let id = found.as_object().and_then(|one| one.values().next()).and_then(Value::as_str).ok_or("no element")?;
        let element = Element::from_element_id(self.page.clone(), ElementRef::from(id.to_owned()));
        element.click().await?;
        Ok(())
    }

    /// A picture of the whole screen, where `ASTER_SHOTS` names a directory and scrot is there.
    pub fn shot(&self, name: &str) {
        if let Some(folder) = std::env::var_os("ASTER_SHOTS") {
            let path = Path::new(&folder).join(format!("{name}.png"));
            let _ = Command::new("scrot").arg("-o").arg(path).env("DISPLAY", &self.display).status();
        }
    }

    /// The daemon's own word on itself: `pid`, `instance_id`.
    pub fn sidecar(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(&self.sidecar)?)?)
    }

    /// Starts the app once more, with the surroundings of the first. Returns its exit code.
    pub async fn again(&self, arguments: &[&str]) -> Result<Option<i32>> {
        let (_, shell) = self.pids()?;
        let surroundings = String::from_utf8(fs::read(format!("/proc/{shell}/environ"))?)?;
        let mut second = Command::new(env!("CARGO_BIN_EXE_aster-app"))
            .args(arguments)
            .env_clear()
            .envs(surroundings.split('\0').filter_map(|variable| variable.split_once('=')))
            .spawn()?;
        let since = Instant::now();
        loop {
            if let Some(status) = second.try_wait()? {
                return Ok(status.code());
            }
            if since.elapsed() > PATIENCE {
                second.kill()?;
                return Err("the second one goes on".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The daemon's pid, and the app's.
    pub fn pids(&self) -> Result<(i32, i32)> {
        let daemon = self.sidecar()?["pid"].as_i64().ok_or("no pid")?;
        let parent = Command::new("ps").args(["-o", "ppid=", "-p", &daemon.to_string()]).output()?;
        Ok((i32::try_from(daemon)?, String::from_utf8(parent.stdout)?.trim().parse()?))
    }
}

pub fn send(pid: i32, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(pid), signal)?)
}

/// Waits until none of them lives.
pub async fn gone(pids: &[i32]) -> Result<()> {
    let lives = |pid: &i32| {
        let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
        state.is_ok_and(|state| !state.stdout.is_empty() && !state.stdout.starts_with(b"Z"))
    };
    until(&format!("the end of {pids:?}"), || !pids.iter().any(lives)).await
}

pub async fn until(what: &str, met: impl Fn() -> bool) -> Result<()> {
    let since = Instant::now();
    while !met() {
        if since.elapsed() > PATIENCE {
            return Err(format!("did not come: {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().expect("the repository")
}

fn python() -> PathBuf {
    std::env::var_os("ASTER_PYTHON").map_or_else(|| repository().join(".venv/bin/python"), PathBuf::from)
}

/// tauri-driver takes no port of the system's choice.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
