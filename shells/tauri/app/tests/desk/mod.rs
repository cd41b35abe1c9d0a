//! A desk to try the app at: a screen of its own, a session bus, homes, the checkout's daemon, and tauri-driver.

pub mod desktop;

use std::{
    cell::RefCell,
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
use tokio::time::timeout;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Nothing is asserted of time; without an end a test would not end either.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
pub const STEP: Duration = Duration::from_millis(50);

/// What has to be there, besides a display server's worth of libraries.
pub fn missing() -> Option<String> {
    let tools = ["Xvfb", "dbus-daemon", "dunst", "xdotool", "WebKitWebDriver", "tauri-driver", "ps"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).exists());
    let gone: Vec<&str> = tools.into_iter().filter(|tool| !there(tool)).collect();
    (!gone.is_empty()).then(|| format!("{} not here", gone.join(", ")))
}

pub struct Desk {
    home: tempfile::TempDir,
    /// None: another desk's, whose it is.
    screen: Option<Child>,
    display: String,
    bus: Child,
    address: String,
    app: PathBuf,
    /// It runs the daemon that it brings, not the checkout's.
    packaged: bool,
}

impl Desk {
    pub fn new() -> Result<Self> {
        let mut screen = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let number = first_line(&mut screen)?;
        Self::at(format!(":{number}"), Some(screen))
    }

    /// Another person's desk, with the screen of this one.
    pub fn beside(&self) -> Result<Self> {
        Self::at(self.display.clone(), None)
    }

    #[allow(dead_code, reason = "only one of the tests has a package")]
    /// A desk with another app than the one that was just built: a packaged one, with its own daemon.
    pub fn packaged(app: PathBuf) -> Result<Self> {
        let mut desk = Self::new()?;
        (desk.app, desk.packaged) = (app, true);
        Ok(desk)
    }

    fn at(display: String, screen: Option<Child>) -> Result<Self> {
        let home = tempfile::tempdir()?;
        for folder in ["bin", "work", "run"] {
            fs::create_dir(home.path().join(folder))?;
        }
        fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o700))?;
        let python = python();
        let opened = home.path().join("opened");
        for (name, script) in [
            ("aster-desktop", format!("exec '{}' -m aster_sidecar \"$@\"", python.display())),
            // What the system would open a link or a folder with.
            ("bin/xdg-open", format!("echo \"$1\" >> '{}'", opened.display())),
        ] {
            let path = home.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("XDG_RUNTIME_DIR", home.path().join("run"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let address = first_line(&mut bus)?;
        let app = PathBuf::from(env!("CARGO_BIN_EXE_aster-app"));
        Ok(Self { home, screen, display, bus, address, app, packaged: false })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.path("share/app.aster.desktop/data").join(name)
    }

    /// Starts the app, at this desk; what it remembers is there from the start before.
    pub async fn launch(&self) -> Result<App> {
        self.launch_with(&[]).await
    }

    pub async fn launch_with(&self, arguments: &[&str]) -> Result<App> {
        let app = self.open(&self.app, arguments).await?;
        app.until("window.asterHost && document.querySelector('#root > *')").await?;
        // Waits for the engine.
        if let Err(cause) = app.ask("GET", "/api/agents", None).await {
            let log = fs::read_to_string(self.data("logs/engine.log")).unwrap_or_default();
            return Err(format!("{cause}\n{log}").into());
        }
        Ok(app)
    }

    /// Starts any program with a WebKit of Tauri's in it.
    pub async fn open(&self, program: &Path, arguments: &[&str]) -> Result<App> {
        let (port, native) = (free_port()?, free_port()?);
        let mut driver = Command::new("tauri-driver");
        driver.args(["--port", &port.to_string(), "--native-port", &native.to_string()]).process_group(0);
        let driver = Driver(self.surround(&mut driver).spawn()?);
        for port in [native, port] {
            until("tauri-driver", || TcpStream::connect(("127.0.0.1", port)).is_ok()).await?;
        }
        let mut wanted = Capabilities::new();
        wanted.insert("tauri:options".into(), json!({ "application": program, "args": arguments }));
        let mut client = ClientBuilder::new(HttpConnector::new());
        let address = format!("http://127.0.0.1:{port}");
        let page = timeout(PATIENCE, client.capabilities(wanted).connect(&address)).await??;
        Ok(App { page, _driver: driver, sidecar: self.data("sidecar.json") })
    }

    /// Starts the app with nobody to drive it.
    pub fn start(&self, arguments: &[&str]) -> Result<Child> {
        Ok(self.surround(Command::new(&self.app).args(arguments)).spawn()?)
    }

    /// Waits for the end of an app that nobody drives. Returns its exit code.
    pub async fn ended(&self, app: Child) -> Result<Option<i32>> {
        let app = RefCell::new(app);
        let ended = until("the app's end", || app.borrow_mut().try_wait().is_ok_and(|end| end.is_some()));
        if let Err(cause) = ended.await {
            app.borrow_mut().kill()?;
            return Err(cause);
        }
        Ok(app.borrow_mut().wait()?.code())
    }

    /// Starts the app, which is there already. Returns its exit code.
    pub async fn again(&self, arguments: &[&str]) -> Result<Option<i32>> {
        self.ended(self.start(arguments)?).await
    }

    /// As a program of this desk is run: with its screen, its bus, its homes.
    fn surround<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ASTER_") {
                command.env_remove(name);
            }
        }
        let folder = |name: &str| self.path(name).display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(if std::env::var_os("ASTER_SHOTS").is_some() { Stdio::inherit() } else { Stdio::null() })
            .envs([
                ("ASTER_MODEL", "demo:instant".to_owned()),
                ("ASTER_SIDECAR_BINARY", folder("aster-desktop")),
                ("ASTER_WORK_DIR", folder("work")),
                ("DBUS_SESSION_BUS_ADDRESS", self.address.clone()),
                ("DISPLAY", self.display.clone()),
                ("HOME", folder("")),
                // No graphics card here.
                ("LIBGL_ALWAYS_SOFTWARE", "1".to_owned()),
                ("NO_AT_BRIDGE", "1".to_owned()),
                ("PATH", format!("{}:{path}", folder("bin"))),
                ("PYTHONPATH", repository().display().to_string()),
                ("WEBKIT_DISABLE_DMABUF_RENDERER", "1".to_owned()),
                ("XDG_CACHE_HOME", folder("cache")),
                ("XDG_CONFIG_HOME", folder("config")),
                ("XDG_DATA_HOME", folder("share")),
                ("XDG_RUNTIME_DIR", folder("run")),
            ]);
        if self.packaged {
            command.env_remove("ASTER_SIDECAR_BINARY").env_remove("PYTHONPATH");
        }
        command
    }

    /// What the system was asked to open: links and folders.
    pub fn opened(&self) -> Vec<String> {
        let said = fs::read_to_string(self.path("opened")).unwrap_or_default();
        said.lines().map(str::to_owned).collect()
    }

    // -- screen and keyboard ---------------------------------------------------------------------------------------

    pub fn xdotool(&self, words: &[&str]) -> Result<String> {
        // It may wait for a window that has gone.
        let done =
            Command::new("timeout").args(["20", "xdotool"]).args(words).env("DISPLAY", &self.display).output()?;
        if done.status.code() == Some(124) {
            return Err(format!("xdotool {words:?} did not end").into());
        }
        Ok(String::from_utf8(done.stdout)?)
    }

    /// The windows that are seen and called exactly so.
    pub fn windows(&self, title: &str) -> Vec<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--name", &format!("^{title}$")]);
        found.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    pub async fn seen(&self, title: &str, count: usize) -> Result<()> {
        until(&format!("{count} of “{title}”"), || self.windows(title).len() == count).await
    }

    /// Presses keys in the window that is called so; without a window manager somebody has to say which has the keyboard.
    pub async fn press(&self, title: &str, keys: &[&str]) -> Result<()> {
        until(title, || !self.windows(title).is_empty()).await?;
        // The newest is in front.
        let window = self.windows(title).pop().ok_or("no window")?;
        self.xdotool(&["windowfocus", "--sync", &window])?;
        for key in keys {
            self.key(key)?;
        }
        Ok(())
    }

    /// Has the keys pressed until no window is called so: one that has just come may lose them.
    pub async fn until_gone(&self, title: &str, press: impl Fn() -> Result<()>) -> Result<()> {
        until(title, || !self.windows(title).is_empty()).await?;
        let since = Instant::now();
        while let Some(window) = self.windows(title).pop() {
            if since.elapsed() > PATIENCE {
                return Err(format!("“{title}” is still there").into());
            }
            self.xdotool(&["windowfocus", &window])?;
            press()?;
            for _ in 0..40 {
                if self.windows(title).is_empty() {
                    return Ok(());
                }
                tokio::time::sleep(STEP).await;
            }
        }
        Ok(())
    }

    pub fn key(&self, keys: &str) -> Result<()> {
        self.xdotool(&["key", "--clearmodifiers", keys]).map(drop)
    }

    /// A picture of the whole screen, where `ASTER_SHOTS` names a directory and scrot is there.
    pub fn shot(&self, name: &str) {
        if let Some(folder) = std::env::var_os("ASTER_SHOTS") {
            let path = Path::new(&folder).join(format!("{name}.png"));
            let _ = Command::new("scrot").arg("-o").arg(path).env("DISPLAY", &self.display).status();
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for child in [Some(&mut self.bus), self.screen.as_mut()].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn first_line(child: &mut Child) -> Result<String> {
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
    Ok(line.trim().to_owned())
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
    sidecar: PathBuf,
}

impl App {
    /// What an expression is in the page.
    pub async fn value(&self, expression: &str) -> Result<Value> {
        let script = format!("return ({expression});");
        Ok(timeout(PATIENCE, self.page.execute(&script, Vec::new())).await??)
    }

    /// What a promise in the page becomes; its refusal as text in `refused`.
    pub async fn promised(&self, expression: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[0]; ({expression}).then((one) => done(one ?? null), (cause) => done({{ refused: cause.message }}));"
        );
        Ok(timeout(PATIENCE, self.page.execute_async(&script, Vec::new())).await??)
    }

    pub async fn until(&self, expression: &str) -> Result<()> {
        let since = Instant::now();
        // The page may be on its way to another place.
        while self.value(&format!("!!({expression})")).await.ok() != Some(Value::Bool(true)) {
            if since.elapsed() > PATIENCE {
                let shown = self.value("document.body.innerText").await?;
                return Err(format!("not so: {expression}; the page shows {shown}").into());
            }
            tokio::time::sleep(STEP).await;
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

    /// The daemon's own word on itself: `pid`, `instance_id`.
    pub fn sidecar(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(&self.sidecar)?)?)
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
        tokio::time::sleep(STEP).await;
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
