//! A desk: one test's own X display, session bus and home directory, with the checkout's daemon and tauri-driver.

pub mod desktop;

use std::{
    cell::RefCell,
    error::Error,
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::{Element, ElementRef},
    key::Key,
    wd::{Capabilities, TimeoutConfiguration},
};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::{net::TcpSocket, time::timeout};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long a test waits for anything before it fails. No test asserts a time.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The interval between two checks.
pub const STEP: Duration = Duration::from_millis(50);
/// After this time without an effect, keys and clicks count as lost and are sent again.
const AGAIN: Duration = Duration::from_secs(10);

/// The tools that the tests need and that are not on PATH. None: all are there.
pub fn missing() -> Option<String> {
    let tools = ["Xvfb", "dbus-daemon", "dunst", "xdotool", "WebKitWebDriver", "tauri-driver", "ps"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).exists());
    let gone: Vec<&str> = tools.into_iter().filter(|tool| !there(tool)).collect();
    (!gone.is_empty()).then(|| format!("{} not here", gone.join(", ")))
}

pub struct Desk {
    home: tempfile::TempDir,
    /// None: the display belongs to another desk.
    screen: Option<Child>,
    display: String,
    bus: Child,
    address: String,
    app: PathBuf,
    /// Whether the app runs the daemon of its package, not the checkout's.
    packaged: bool,
}

impl Desk {
    pub fn new() -> Result<Self> {
        // -noreset: otherwise Xvfb resets when its last window closes and refuses clients that connect at that moment.
        let mut screen = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let number = first_line(&mut screen)?;
        Self::at(format!(":{number}"), Some(screen))
    }

    /// A second desk on the same display, with its own bus and home.
    pub fn beside(&self) -> Result<Self> {
        Self::at(self.display.clone(), None)
    }

    /// A desk for a packaged app, which brings its own daemon.
    #[allow(dead_code, reason = "only the test of the package uses it")]
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
            // The system's program for links and folders: it records them.
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

    /// Starts the app under WebDriver and waits for its engine. A second start finds the first one's files.
    pub async fn launch(&self) -> Result<App> {
        self.launch_with(&[]).await
    }

    pub async fn launch_with(&self, arguments: &[&str]) -> Result<App> {
        let app = self.open(&self.app, arguments).await?;
        app.until("window.asterHost && document.querySelector('#root > *')").await?;
        if let Err(cause) = app.ready().await {
            let log = fs::read_to_string(self.data("logs/engine.log")).unwrap_or_default();
            return Err(format!("{cause}\n{log}").into());
        }
        Ok(app)
    }

    /// Starts a Tauri program under WebDriver.
    pub async fn open(&self, program: &Path, arguments: &[&str]) -> Result<App> {
        let held = [held_port()?, held_port()?];
        let [(_, port), (_, native)] = &held;
        let mut driver = Command::new("tauri-driver");
        driver.args(["--port", &port.to_string(), "--native-port", &native.to_string()]).process_group(0);
        let driver = Driver(self.surround(&mut driver).spawn()?);
        for port in [native, port] {
            until("tauri-driver", || TcpStream::connect(("127.0.0.1", *port)).is_ok()).await?;
        }
        let mut wanted = Capabilities::new();
        wanted.insert("tauri:options".into(), json!({ "application": program, "args": arguments }));
        let mut client = ClientBuilder::new(HttpConnector::new());
        let address = format!("http://127.0.0.1:{port}");
        let page = timeout(PATIENCE, client.capabilities(wanted).connect(&address)).await??;
        page.update_timeouts(TimeoutConfiguration::new(Some(PATIENCE), None, None)).await?;
        Ok(App { page, _driver: driver, _ports: held, sidecar: self.data("sidecar.json") })
    }

    /// Starts the app without WebDriver.
    pub fn start(&self, arguments: &[&str]) -> Result<Child> {
        Ok(self.surround(Command::new(&self.app).args(arguments)).spawn()?)
    }

    /// Waits until an app from [`Self::start`] ends. Returns its exit code. Raises: it did not end; it is killed.
    pub async fn ended(&self, app: Child) -> Result<Option<i32>> {
        let app = RefCell::new(app);
        let ended = until("the app's end", || app.borrow_mut().try_wait().is_ok_and(|end| end.is_some()));
        if let Err(cause) = ended.await {
            app.borrow_mut().kill()?;
            return Err(cause);
        }
        Ok(app.borrow_mut().wait()?.code())
    }

    /// Starts a second instance while the first runs. Returns the second one's exit code.
    pub async fn again(&self, arguments: &[&str]) -> Result<Option<i32>> {
        self.ended(self.start(arguments)?).await
    }

    /// Gives a command the environment of this desk: display, bus and home directories.
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
            // The environment that a desktop gives an app: no terminal, and a login shell.
            .env_remove("TERM")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(if std::env::var_os("ASTER_SHOTS").is_some() { Stdio::inherit() } else { Stdio::null() })
            .envs([
                // No test starts a browser for the agents, or downloads its server.
                ("ASTER_BROWSER", folder("no-browser")),
                ("ASTER_MODEL", "demo:instant".to_owned()),
                ("ASTER_SIDECAR_BINARY", folder("aster-desktop")),
                ("ASTER_WORK_DIR", folder("work")),
                ("DBUS_SESSION_BUS_ADDRESS", self.address.clone()),
                ("DISPLAY", self.display.clone()),
                ("HOME", folder("")),
                // There is no graphics card here.
                ("LIBGL_ALWAYS_SOFTWARE", "1".to_owned()),
                ("NO_AT_BRIDGE", "1".to_owned()),
                ("PATH", format!("{}:{path}", folder("bin"))),
                ("PYTHONPATH", repository().display().to_string()),
                ("SHELL", "/bin/bash".to_owned()),
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

    /// The links and folders that the app asked the system to open, oldest first.
    pub fn opened(&self) -> Vec<String> {
        let said = fs::read_to_string(self.path("opened")).unwrap_or_default();
        said.lines().map(str::to_owned).collect()
    }

    // -- screen and keyboard ---------------------------------------------------------------------------------------

    /// An xdotool command that ends after 20 s: it may wait for a window that is closed.
    pub fn by_hand(&self, words: &[&str]) -> Command {
        let mut xdotool = Command::new("timeout");
        xdotool.args(["20", "xdotool"]).args(words).env("DISPLAY", &self.display);
        xdotool
    }

    pub fn xdotool(&self, words: &[&str]) -> Result<String> {
        let done = self.by_hand(words).output()?;
        if done.status.code() == Some(124) {
            return Err(format!("xdotool {words:?} did not end").into());
        }
        Ok(String::from_utf8(done.stdout)?)
    }

    /// The ids of the visible windows with exactly this title.
    pub fn windows(&self, title: &str) -> Vec<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--name", &format!("^{title}$")]);
        found.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    pub async fn seen(&self, title: &str, count: usize) -> Result<()> {
        until(&format!("{count} of “{title}”"), || self.windows(title).len() == count).await
    }

    /// Waits for a window with this title. Returns its id; of several that of the newest, which is in front.
    pub async fn front(&self, title: &str) -> Result<String> {
        found(title, async || self.windows(title).pop()).await
    }

    /// Presses keys in the window with this title. Focuses it first, because there is no window manager.
    pub async fn press(&self, title: &str, keys: &[&str]) -> Result<()> {
        let window = self.front(title).await?;
        self.xdotool(&["windowfocus", "--sync", &window])?;
        for key in keys {
            self.key(key)?;
        }
        Ok(())
    }

    /// Calls `press` in the newest dialog with this title until it closes: a dialog that just opened may lose keys.
    pub async fn answer(&self, title: &str, press: impl Fn() -> Result<()>) -> Result<()> {
        let dialog = self.front(title).await?;
        let there = || self.windows(title).contains(&dialog);
        let since = Instant::now();
        while there() {
            if since.elapsed() > PATIENCE {
                return Err(format!("“{title}” is still there").into());
            }
            self.xdotool(&["windowfocus", &dialog])?;
            press()?;
            // Not again at once: the window under the dialog would get the keys.
            let pressed = Instant::now();
            while there() && pressed.elapsed() < AGAIN {
                tokio::time::sleep(STEP).await;
            }
        }
        Ok(())
    }

    /// Presses Return in the dialog until it closes.
    pub async fn confirm(&self, title: &str) -> Result<()> {
        self.answer(title, || self.key("Return")).await
    }

    /// Position and size of the window with this title, in pixels, as lines `X=…`; empty when there is none.
    pub fn place(&self, title: &str) -> String {
        let window = self.windows(title).pop();
        window.and_then(|window| self.xdotool(&["getwindowgeometry", "--shell", &window]).ok()).unwrap_or_default()
    }

    pub fn key(&self, keys: &str) -> Result<()> {
        self.xdotool(&["key", "--clearmodifiers", keys]).map(drop)
    }

    /// Takes a screenshot when `ASTER_SHOTS` names a directory and scrot is installed.
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

/// tauri-driver and its process group. The app's daemon has a separate group and ends with the app.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // Killed at once: the tests of quitting wait for the app before this.
        let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

pub struct App {
    page: Client,
    _driver: Driver,
    _ports: [(TcpSocket, u16); 2],
    sidecar: PathBuf,
}

impl App {
    /// The value of a JavaScript expression in the page.
    pub async fn value(&self, expression: &str) -> Result<Value> {
        let script = format!("return ({expression});");
        Ok(timeout(PATIENCE, self.page.execute(&script, Vec::new())).await??)
    }

    /// The result of a promise in the page; when it is rejected, `{"refused": MESSAGE}`.
    pub async fn promised(&self, expression: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[0]; ({expression}).then((one) => done(one ?? null), (cause) => done({{ refused: cause.message }}));"
        );
        Ok(timeout(PATIENCE, self.page.execute_async(&script, Vec::new())).await??)
    }

    pub async fn until(&self, expression: &str) -> Result<()> {
        let since = Instant::now();
        // An error means that the page is navigating.
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

    /// Waits until the engine is ready.
    pub async fn ready(&self) -> Result<()> {
        let asked = "window.asterHost.getRuntimeInfo()";
        let status = async || Some(self.promised(asked).await.ok()?["engine_status"] == "ready").filter(|&ready| ready);
        found("the engine", status).await.map(drop)
    }

    /// Sends a request through the page's host. Returns the answer's `data`. Raises: the status is not 200.
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

    /// Leaves the first-run page for a new conversation.
    pub async fn talk(&self) -> Result<()> {
        self.click("Start a conversation").await?;
        self.until("document.querySelector('textarea:not([disabled])')").await
    }

    /// Types a message into the composer and sends it with Return.
    pub async fn say(&self, text: &str) -> Result<()> {
        let wait = self.page.wait().at_most(PATIENCE);
        let composer = wait.for_element(Locator::Css("textarea:not([disabled])")).await?;
        composer.click().await?;
        composer.send_keys(&format!("{text}{}", char::from(Key::Enter))).await?;
        Ok(())
    }

    /// Clicks the first button or link with this name. Waits until it no longer moves, and tries again when the page
    /// did not get the click: elements that appear or disappear above it move it.
    pub async fn click(&self, name: &str) -> Result<()> {
        let is = format!(
            "((one) => one && one.offsetParent !== null && !one.disabled && \
             (one.innerText.trim().startsWith({0}) || one.getAttribute('aria-label') === {0}))",
            json!(name)
        );
        let find = format!("[...document.querySelectorAll('button, a')].find({is})");
        let look = format!(
            "(() => {{ const one = {find}; const was = window.clickAt; window.clickHit = false; \
             window.clickAt = one && JSON.stringify(one.getBoundingClientRect()); \
             if (!one || window.clickAt !== was) return null; \
             const hit = (event) => {{ window.clickHit ||= {is}(event.target.closest('button, a')); }}; \
             document.addEventListener('click', hit, {{ capture: true, once: true }}); return one; }})()"
        );
        let clicked = async || {
            // An error means that the page is navigating.
            let one = self.value(&look).await.ok()?;
            let id = one.as_object()?.values().next()?.as_str()?.to_owned();
            Element::from_element_id(self.page.clone(), ElementRef::from(id)).click().await.ok()?;
            (self.value("window.clickHit").await.ok()? == true).then_some(())
        };
        found(&format!("a click on “{name}”"), clicked).await
    }

    /// The daemon's `sidecar.json`: `pid`, `instance_id` and more.
    pub fn sidecar(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(&self.sidecar)?)?)
    }

    /// Ends the app with SIGTERM. Waits until the app, its daemon and its WebKit processes, which write last, have
    /// ended.
    pub async fn end(self) -> Result<()> {
        self.end_by(Signal::SIGTERM).await
    }

    pub async fn end_by(self, signal: Signal) -> Result<()> {
        let (daemon, shell) = self.pids()?;
        let children = living(&["--ppid", &shell.to_string()]);
        let all = [children, vec![daemon, shell]].concat();
        send(shell, signal)?;
        gone(&all).await
    }

    /// The process ids of the daemon and of the app.
    pub fn pids(&self) -> Result<(i32, i32)> {
        let daemon = self.sidecar()?["pid"].as_i64().ok_or("no pid")?;
        let parent = Command::new("ps").args(["-o", "ppid=", "-p", &daemon.to_string()]).output()?;
        Ok((i32::try_from(daemon)?, String::from_utf8(parent.stdout)?.trim().parse()?))
    }
}

pub fn send(pid: i32, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(pid), signal)?)
}

/// The ids of running processes that `ps` selects with these options; zombies don't count.
fn living(words: &[&str]) -> Vec<i32> {
    let listed = Command::new("ps").args(["-o", "pid=,stat="]).args(words).output();
    let listed = listed.map(|listed| listed.stdout).unwrap_or_default();
    let lives = |line: &str| {
        let (pid, state) = line.trim().split_once(char::is_whitespace)?;
        if state.trim_start().starts_with('Z') { None } else { pid.parse().ok() }
    };
    String::from_utf8_lossy(&listed).lines().filter_map(lives).collect()
}

/// Waits until none of these processes runs.
pub async fn gone(pids: &[i32]) -> Result<()> {
    let lives = |pid: &i32| !living(&["-p", &pid.to_string()]).is_empty();
    until(&format!("the end of {pids:?}"), || !pids.iter().any(lives)).await
}

/// Waits until `met`. Raises: not within [`PATIENCE`]; the error says `what`.
pub async fn until(what: &str, met: impl Fn() -> bool) -> Result<()> {
    found(what, async || met().then_some(())).await
}

/// Waits until `look` returns a value. Raises: none within [`PATIENCE`]; the error says `what`.
pub async fn found<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> Result<T> {
    let since = Instant::now();
    loop {
        if let Some(it) = look().await {
            return Ok(it);
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("did not come: {what}").into());
        }
        tokio::time::sleep(STEP).await;
    }
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().expect("the repository")
}

fn python() -> PathBuf {
    std::env::var_os("ASTER_PYTHON").map_or_else(|| repository().join(".venv/bin/python"), PathBuf::from)
}

/// A free port for tauri-driver, which can't choose one itself. While the socket is held, the system gives this port to
/// no program that asks for any port.
fn held_port() -> Result<(TcpSocket, u16)> {
    let socket = TcpSocket::new_v4()?;
    // Both drivers set it as well, so they can listen on the port too.
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}
