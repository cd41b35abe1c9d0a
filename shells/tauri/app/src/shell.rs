//! What the parts of the app share: the engine, what is remembered, what waits, and what a person can have done.

use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use aster_supervisor::{
    Call, OVERRIDE, Options, PROTOCOL, Places, Problem, Status, Stream, Supervisor, Timing, Transport,
};
use serde::Serialize;
use serde_json::{Value, json};
use tauri::{AppHandle, Emitter, Manager, async_runtime::spawn};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind, MessageDialogResult};
use tauri_plugin_global_shortcut::GlobalShortcutExt;
use tauri_plugin_notification::NotificationExt;
use tauri_plugin_opener::OpenerExt;
use tauri_plugin_updater::UpdaterExt;
use tokio::sync::{oneshot, watch};

use crate::{
    attention::{News, Picture, mark_read},
    brand::{HOTKEY, NAME, PORT},
    diagnostics, login, menu, root,
    sockets::Sockets,
    state::StateFile,
    tray,
    windows::{self, Going},
};

pub struct Shell {
    app: AppHandle,
    pub state: StateFile,
    pub sockets: Sockets,
    /// The one of now: another place for the data has another.
    supervisor: RwLock<Supervisor>,
    status: watch::Sender<Status>,
    picture: Mutex<Picture>,
    ambient: AtomicBool,
    /// Why the hotkey is not there.
    hotkey_problem: Mutex<Option<String>>,
    going: Mutex<Going>,
    end: AtomicU8,
}

const HANDOFF_WITHIN: Duration = Duration::from_secs(10);
const AGAIN: &str = "Try again";
const LOGS: &str = "Open logs";

const LIVES: u8 = 0;
const STOPPING: u8 = 1;
const OVER: u8 = 2;

/// What `window.asterHost.getRuntimeInfo()` says.
#[derive(Serialize)]
pub struct RuntimeInfo {
    surface: &'static str,
    framework: &'static str,
    app_version: String,
    protocol: i64,
    engine_status: Status,
    data_dir: PathBuf,
    logs_dir: PathBuf,
    config_path: PathBuf,
    workspace_path: PathBuf,
    engine: PathBuf,
    engine_transport: Transport,
}

#[derive(Serialize)]
pub struct Updates {
    pub supported: bool,
    pub message: String,
}

#[derive(Clone, Copy)]
pub enum Engine {
    Start,
    Stop,
    Restart,
}

/// The app's own, from anywhere that knows the app.
pub fn shell(app: &AppHandle) -> Arc<Shell> {
    app.state::<Arc<Shell>>().inner().clone()
}

impl Shell {
    /// Raises: the system's error when the app has no directory of its own.
    pub fn new(app: &AppHandle, home: &Path, state: StateFile) -> Arc<Self> {
        let data_dir = state.current().runtime_root.unwrap_or_else(|| home.join("data"));
        let supervisor = supervise(app, data_dir);
        Arc::new(Self {
            app: app.clone(),
            state,
            sockets: Sockets::default(),
            supervisor: RwLock::new(supervisor),
            status: watch::Sender::new(Status::Stopped),
            picture: Mutex::default(),
            ambient: AtomicBool::new(false),
            hotkey_problem: Mutex::default(),
            going: Mutex::default(),
            end: AtomicU8::new(LIVES),
        })
    }

    pub fn supervisor(&self) -> Supervisor {
        self.supervisor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub fn going(&self) -> MutexGuard<'_, Going> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What went wrong goes to the log, where nobody waits for it.
    pub fn note<E: Display>(&self, what: &str, result: Result<(), E>) {
        if let Err(cause) = result {
            self.supervisor().log().add(Stream::Shell, &format!("{what}: {cause}"));
        }
    }

    // -- the engine ------------------------------------------------------------------------------------------------

    /// Tells windows and tray how it is, for as long as there is this supervisor.
    pub fn watch(self: &Arc<Self>) {
        let shell = self.clone();
        let mut changes = self.supervisor().subscribe();
        spawn(async move {
            while let Some(status) = changes.recv().await {
                shell.status.send_replace(status);
                shell.note("a window", shell.app.emit("aster:runtime-status", status));
                shell.draw();
                if status == Status::Crashed {
                    shell.explain();
                }
            }
        });
    }

    /// What goes wrong is told by [`Self::watch`].
    pub fn engine(self: &Arc<Self>, what: Engine) {
        let supervisor = self.supervisor();
        spawn(async move {
            let _ = match what {
                Engine::Start => supervisor.start().await,
                Engine::Restart => supervisor.restart().await,
                Engine::Stop => {
                    supervisor.stop().await;
                    Ok(())
                }
            };
        });
    }

    /// It was given up: what happened, and what can be done.
    fn explain(self: &Arc<Self>) {
        let Some(Problem { message, hint, .. }) = self.supervisor().info().problem else { return };
        let text = hint.map_or(message.clone(), |hint| format!("{message}\n\n{hint}"));
        let shell = self.clone();
        self.app
            .dialog()
            .message(text)
            .title(format!("{NAME}'s engine does not run"))
            .kind(MessageDialogKind::Error)
            .buttons(MessageDialogButtons::YesNoCancelCustom(AGAIN.into(), LOGS.into(), "Later".into()))
            .show_with_result(move |answer| match answer {
                MessageDialogResult::Custom(answer) if answer == AGAIN => shell.engine(Engine::Start),
                MessageDialogResult::Custom(answer) if answer == LOGS => {
                    shell.tell("The logs could not be opened", shell.open_logs());
                }
                _ => {}
            });
    }

    pub fn runtime_info(&self) -> RuntimeInfo {
        let supervisor = self.supervisor();
        let info = supervisor.info();
        let data_dir = supervisor.data_dir();
        RuntimeInfo {
            surface: "native",
            framework: "tauri",
            app_version: self.app.package_info().version.to_string(),
            protocol: PROTOCOL,
            engine_status: info.status,
            data_dir: data_dir.into(),
            logs_dir: supervisor.logs_dir().unwrap_or(data_dir).into(),
            config_path: data_dir.join("config.toml"),
            workspace_path: data_dir.join("workspace"),
            engine: info.binary.map(|binary| binary.path).unwrap_or_default(),
            engine_transport: info.transport,
        }
    }

    // -- what a person can have done -------------------------------------------------------------------------------

    pub async fn pick_folder(&self, title: &str) -> Option<PathBuf> {
        let (tell, chosen) = oneshot::channel();
        let mut dialog = self.app.dialog().file().set_title(title);
        if let Some(window) = self.app.get_webview_window(windows::MAIN) {
            dialog = dialog.set_parent(&window);
        }
        dialog.pick_folder(move |folder| {
            // Whoever asked may be gone.
            let _ = tell.send(folder);
        });
        chosen.await.ok().flatten()?.into_path().ok()
    }

    pub fn open_logs(&self) -> io::Result<()> {
        let supervisor = self.supervisor();
        let Some(folder) = supervisor.logs_dir() else { return Ok(()) };
        fs::create_dir_all(folder)?;
        let opened = self.app.opener().open_path(folder.display().to_string(), None::<&str>);
        opened.map_err(io::Error::other)
    }

    pub async fn export_diagnostics(&self) -> Result<PathBuf, String> {
        let supervisor = self.supervisor();
        let state = self.state.current();
        let facts = json!({
            "version": self.app.package_info().version.to_string(),
            "tauri": tauri::VERSION,
            "webview": tauri::webview_version().unwrap_or_else(|cause| cause.to_string()),
            "platform": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "notifications": state.notifications,
            "start_on_login": state.start_on_login,
            "own_runtime_root": state.runtime_root.is_some(),
        });
        let path = diagnostics::export(&supervisor, &supervisor.data_dir().join("diagnostics"), facts).await?;
        self.note("the folder of the diagnostics", self.app.opener().reveal_item_in_dir(&path));
        Ok(path)
    }

    /// This page in the system's browser, signed in, once.
    pub async fn open_in_browser(&self) {
        let ask = Call { method: "POST".into(), body: Some("{}".into()), ..Call::get("/api/handoff", HANDOFF_WITHIN) };
        let opened = match self.supervisor().call(ask).await {
            Ok(answer) => {
                let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
                match said["data"]["url"].as_str() {
                    Some(url) => self.app.opener().open_url(url, None::<&str>).map_err(|cause| cause.to_string()),
                    None => Err(said["error"].as_str().unwrap_or("the daemon gave no link").to_owned()),
                }
            }
            Err(cause) => Err(cause.to_string()),
        };
        self.tell("The browser could not be opened", opened);
    }

    /// Asks Tauri's updater where a place to look is configured, and says so where none is.
    pub async fn check_for_updates(&self) -> Updates {
        let no = |message: &str| Updates { supported: false, message: message.into() };
        let configured = self.app.config().plugins.0.get("updater");
        if configured.and_then(|updater| updater["endpoints"].as_array()).is_none_or(Vec::is_empty) {
            return no("This build has no place to look for updates.");
        }
        if cfg!(target_os = "linux") && std::env::var_os("APPIMAGE").is_none() {
            return no("On Linux updates come the way the app came: by its package.");
        }
        if tauri::is_dev() {
            return no("Only the packaged app can be updated.");
        }
        let checked = async {
            let Some(update) = self.app.updater()?.check().await? else {
                return Ok("This is the newest version.".to_owned());
            };
            update.download_and_install(|_, _| {}, || {}).await?;
            Ok(format!("Version {} is there after the next start.", update.version))
        };
        let message = checked
            .await
            .unwrap_or_else(|cause: tauri_plugin_updater::Error| format!("The check did not work: {cause}"));
        Updates { supported: true, message }
    }

    pub async fn say_updates(&self) {
        self.say(MessageDialogKind::Info, self.check_for_updates().await.message);
    }

    pub fn say(&self, kind: MessageDialogKind, text: impl Into<String>) {
        self.app.dialog().message(text).title(NAME).kind(kind).show(|_| {});
    }

    /// A person waits for it, so what went wrong is said.
    pub fn tell<E: Display>(&self, what: &str, result: Result<(), E>) {
        if let Err(cause) = result {
            self.say(MessageDialogKind::Error, format!("{what}: {cause}"));
        }
    }

    pub fn set_notifications(self: &Arc<Self>, on: bool) {
        self.note("the state file", self.state.change(|remembered| remembered.notifications = on));
        self.draw();
    }

    pub fn set_start_on_login(self: &Arc<Self>, on: bool) {
        let set = login::set(&self.app, on);
        if set.is_ok() {
            self.note("the state file", self.state.change(|remembered| remembered.start_on_login = on));
        }
        self.note("start on login", set);
        self.draw();
    }

    /// Another place for the data: chosen, confirmed, filled, and used.
    pub async fn choose_root(self: &Arc<Self>) {
        let Some(folder) = self.pick_folder("Where to keep conversations, settings and logs").await else { return };
        if let Err(cause) = self.move_root(&folder).await {
            self.say(MessageDialogKind::Error, cause.to_string());
        }
    }

    async fn move_root(self: &Arc<Self>, folder: &Path) -> Result<(), root::Error> {
        let old = self.supervisor();
        let from = old.data_dir().to_owned();
        let to = root::chosen_root(folder, &own_places(&self.app))?;
        if to == from {
            return Ok(());
        }
        let adopt = root::holds_data(&to);
        let (question, yes, then) = if adopt {
            ("Use the data that are there?", "Use them", "What is in the first stays where it is.")
        } else {
            ("Move all data there?", "Move", "The engine stops while they are moved.")
        };
        let text = format!("{question}\n\nFrom {}\nto {}\n\n{then}", from.display(), to.display());
        let (tell, answered) = oneshot::channel();
        self.app
            .dialog()
            .message(text)
            .title(NAME)
            .buttons(MessageDialogButtons::OkCancelCustom(yes.into(), "Cancel".into()))
            .show(move |answer| {
                // Whoever asked may be gone.
                let _ = tell.send(answer);
            });
        if !answered.await.unwrap_or(false) {
            return Ok(());
        }
        // For good: a start in between would make the old place once more.
        old.retire().await;
        // So would a late line.
        old.log().close().await;
        let moved = if adopt { Ok(()) } else { root::move_data(&from, &to) }
            .and_then(|()| Ok(self.state.change(|remembered| remembered.runtime_root = Some(to.clone()))?));
        let next = supervise(&self.app, if moved.is_ok() { to } else { from });
        *self.supervisor.write().unwrap_or_else(PoisonError::into_inner) = next;
        self.watch();
        self.engine(Engine::Start);
        moved
    }

    // -- what a person sees ----------------------------------------------------------------------------------------

    /// Changes what is known to wait for the person; [`Self::draw`] shows it.
    pub fn learn<T>(&self, change: impl FnOnce(&mut Picture) -> T) -> T {
        change(&mut self.picture.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tray, badge, quick panel and hotkey, as they are to be now.
    pub fn draw(self: &Arc<Self>) {
        let shell = self.clone();
        let drawn = self.app.run_on_main_thread(move || {
            let picture = shell.picture.lock().unwrap_or_else(PoisonError::into_inner).clone();
            shell.set_ambient(picture.is_on("ambient"));
            let state = shell.state.current();
            let waiting = picture.waiting.len();
            let shown = tray::Picture {
                status: *shell.status.borrow(),
                waiting,
                unread: picture.unread,
                notifications: state.notifications,
                start_on_login: state.start_on_login,
                hotkey_problem: shell.hotkey_problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            };
            shell.note("the tray", tray::show(&shell.app, &shown));
            shell.note("the menu", menu::show(&shell.app, state.notifications, state.start_on_login));
            if let Some(window) = shell.app.get_webview_window(windows::MAIN) {
                let count = i64::try_from(waiting as u64 + picture.unread).unwrap_or(i64::MAX);
                // Not every system has badges.
                let _ = window.set_badge_count((count > 0).then_some(count));
            }
        });
        self.note("the tray", drawn);
    }

    /// Tray, quick panel and hotkey: there, or away when the flag is off.
    fn set_ambient(self: &Arc<Self>, on: bool) {
        if self.ambient.swap(on, Ordering::AcqRel) == on {
            return;
        }
        if on {
            self.note("the tray", tray::open(&self.app));
            self.set_hotkey();
        } else {
            self.note("the tray", tray::close(&self.app));
            // `unregister_all` would wait for the keys' thread with a lock that this thread takes for each key.
            let keys = self.app.global_shortcut();
            if keys.is_registered(HOTKEY) {
                self.note("the hotkey", keys.unregister(HOTKEY));
            }
            windows::close_quick(&self.app);
        }
    }

    fn set_hotkey(&self) {
        let registered = self.app.global_shortcut().register(HOTKEY);
        let problem = registered.is_err().then(|| format!("{HOTKEY} belongs to another app"));
        self.note("the hotkey", registered);
        if let Some(problem) = &problem
            && self.state.current().notifications
        {
            let body = format!("{problem}: the quick panel opens from the tray.");
            self.note("a notification", self.app.notification().builder().title(NAME).body(body).show());
        }
        *self.hotkey_problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    pub fn toggle_quick(&self) {
        if self.ambient.load(Ordering::Acquire) {
            windows::toggle_quick(&self.app);
        }
    }

    /// Says it through the system when nobody looks.
    pub fn notify(&self, news: News) {
        let on = self.picture.lock().unwrap_or_else(PoisonError::into_inner).is_on("desktop_notifications");
        if !on || !self.state.current().notifications || windows::focused(&self.app) {
            return;
        }
        let News { notification_id, title, body, place } = news;
        let notification = self.app.notification().builder().title(title).body(body);
        let notification = notification.extra("notification_id", notification_id).extra("place", place);
        self.note("a notification", notification.show());
    }

    /// A click on one leads to where it comes from.
    pub fn hear_notifications(self: &Arc<Self>) {
        let shell = self.clone();
        let heard = self.app.notification().on_action(move |performed| {
            let Some(shown) = performed.notification() else { return };
            let text = |name: &str| shown.extra().get(name).and_then(|value| value.as_str()).map(str::to_owned);
            windows::show(&shell.app, text("place").as_deref());
            if let Some(notification_id) = text("notification_id") {
                let supervisor = shell.supervisor();
                spawn(async move { mark_read(&supervisor, &notification_id).await });
            }
        });
        self.note("notifications", heard);
    }

    // -- the end ---------------------------------------------------------------------------------------------------

    pub fn quitting(&self) -> bool {
        self.end.load(Ordering::Acquire) != LIVES
    }

    /// Whether the app may end now. If not, it is on its way: the engine is stopped first.
    pub fn may_end(self: &Arc<Self>) -> bool {
        match self.end.compare_exchange(LIVES, STOPPING, Ordering::AcqRel, Ordering::Acquire) {
            Err(end) => end == OVER,
            Ok(_) => {
                let shell = self.clone();
                for window in self.app.webview_windows().values() {
                    self.note("a window", window.hide());
                }
                spawn(async move {
                    let supervisor = shell.supervisor();
                    supervisor.stop().await;
                    supervisor.log().flush().await;
                    shell.end.store(OVER, Ordering::Release);
                    shell.app.exit(0);
                });
                false
            }
        }
    }
}

fn supervise(app: &AppHandle, data_dir: PathBuf) -> Supervisor {
    // In development the daemon of the checkout is run, unless another one is named.
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let places = Places {
        instead: std::env::var_os(OVERRIDE).map(PathBuf::from),
        bundled: if tauri::is_dev() { Vec::new() } else { own_places(app) },
        development: tauri::is_dev().then_some(checkout),
    };
    Supervisor::new(Options {
        framework: "tauri".into(),
        port: PORT,
        logs_dir: Some(data_dir.join("logs")),
        data_dir,
        places,
        unix_socket: true,
        environment: Default::default(),
        settings: Default::default(),
        timing: Timing::default(),
    })
}

/// Where the app itself is: its resources, and its executable.
fn own_places(app: &AppHandle) -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    app.path().resource_dir().ok().into_iter().chain(beside).collect()
}
