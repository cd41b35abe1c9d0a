//! The windows: the main one and the quick panel, both the shared page, both with no way out of the app's own pages.

use tauri::{
    AppHandle, Emitter, LogicalSize, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent,
    webview::{NewWindowResponse, PageLoadEvent},
};
use tauri_plugin_opener::OpenerExt;
use tauri_plugin_window_state::{AppHandleExt, StateFlags};

use crate::{
    brand::NAME,
    checks::{is_ours, is_safe_link},
    shell::shell,
};

pub const MAIN: &str = "main";
pub const QUICK: &str = "quick";
const QUICK_SIZE: (f64, f64) = (460.0, 560.0);
/// What is remembered of the main window, in the plugin's own file.
pub const REMEMBERED: StateFlags = StateFlags::all().difference(StateFlags::VISIBLE.union(StateFlags::DECORATIONS));
const HOST: &str = include_str!("host.js");

/// Makes the main window, at the place where the person was.
pub fn open(app: &AppHandle, place: Option<&str>, hidden: bool) -> tauri::Result<WebviewWindow> {
    let last = shell(app).state.current().last_place;
    let place = place.or(last.as_deref()).unwrap_or("#/");
    let window = builder(app, MAIN, place)
        .title(NAME)
        .inner_size(1080.0, 760.0)
        .min_inner_size(360.0, 400.0)
        .visible(!hidden)
        .build()?;
    hold(&window)?;
    Ok(window)
}

/// Shows the main window, at `place` when one is given.
pub fn show(app: &AppHandle, place: Option<&str>) {
    let shown = match app.get_webview_window(MAIN) {
        None => open(app, place, false).map(|_| ()),
        Some(window) => front(&window).and_then(|()| {
            let now = place.and_then(|place| shell(app).going().to(place));
            now.map_or(Ok(()), |place| window.emit_to(MAIN, "aster:go", place))
        }),
    };
    shell(app).note("the window", shown);
}

/// Where the main page is to go, while it loads and does not hear.
#[derive(Default)]
pub struct Going {
    hears: bool,
    place: Option<String>,
}

impl Going {
    /// Returns the place when the page can be told now; else it is kept until it asks.
    fn to<'a>(&mut self, place: &'a str) -> Option<&'a str> {
        if self.hears {
            return Some(place);
        }
        self.place = Some(place.to_owned());
        None
    }

    /// The page hears from now on. Returns where it was sent before.
    pub fn heard(&mut self) -> Option<String> {
        self.hears = true;
        self.place.take()
    }
}

/// A page that is made anew hears nothing before it asks.
fn deaf(window: &WebviewWindow) {
    if window.label() == MAIN {
        shell(window.app_handle()).going().hears = false;
    }
}

/// The small window over all others: there, or away.
pub fn toggle_quick(app: &AppHandle) {
    let toggled = match app.get_webview_window(QUICK) {
        Some(window) if window.is_visible().unwrap_or(false) => window.hide(),
        Some(window) => place_quick(&window).and_then(|()| front(&window)),
        None => open_quick(app),
    };
    shell(app).note("the quick panel", toggled);
}

pub fn close_quick(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(QUICK) {
        shell(app).note("the quick panel", window.destroy());
    }
}

pub fn focused(app: &AppHandle) -> bool {
    both(app).any(|window| has_focus(&window))
}

fn both(app: &AppHandle) -> impl Iterator<Item = WebviewWindow> {
    [MAIN, QUICK].into_iter().filter_map(|label| app.get_webview_window(label))
}

fn has_focus(window: &WebviewWindow) -> bool {
    window.is_visible().unwrap_or(false) && window.is_focused().unwrap_or(false)
}

/// Does something with the window that the person is in.
pub fn with_front(app: &AppHandle, act: impl FnOnce(&WebviewWindow) -> tauri::Result<()>) {
    let front = both(app).find(has_focus).or_else(|| app.get_webview_window(MAIN));
    if let Some(window) = front {
        shell(app).note("a window", act(&window));
    }
}

pub fn reload(window: &WebviewWindow) -> tauri::Result<()> {
    deaf(window);
    window.reload()
}

pub fn toggle_maximized(window: &WebviewWindow) -> tauri::Result<()> {
    if window.is_maximized()? { window.unmaximize() } else { window.maximize() }
}

#[cfg(debug_assertions)]
#[expect(clippy::unnecessary_wraps, reason = "as all that is done with a window")]
pub fn toggle_devtools(window: &WebviewWindow) -> tauri::Result<()> {
    if window.is_devtools_open() {
        window.close_devtools()
    } else {
        window.open_devtools()
    }
    Ok(())
}

/// How large the pages are: the same in both windows, and remembered.
pub fn zoom(app: &AppHandle, change: impl FnOnce(i64) -> i64) {
    let shell = shell(app);
    let zoomed = shell.state.change(|remembered| remembered.zoom_percent = change(remembered.zoom_percent));
    shell.note("the state file", zoomed);
    for window in both(app) {
        shell.note("a window", set_zoom(&window));
    }
}

fn set_zoom(window: &WebviewWindow) -> tauri::Result<()> {
    let percent = shell(window.app_handle()).state.current().zoom_percent;
    window.set_zoom(f64::from(i32::try_from(percent).unwrap_or(100)) / 100.0)
}

/// An item of the Edit menu: `edit-` and one of WebKit's editing commands.
#[cfg(target_os = "linux")]
pub fn edit(app: &AppHandle, id: &str) {
    use webkit2gtk::WebViewExt;
    let Some(command) = id.strip_prefix("edit-").map(str::to_owned) else { return };
    with_front(app, |window| window.with_webview(move |page| page.inner().execute_editing_command(&command)));
}

fn open_quick(app: &AppHandle) -> tauri::Result<()> {
    let window = builder(app, QUICK, "#/new")
        .title(format!("{NAME}, quick panel"))
        .inner_size(QUICK_SIZE.0, QUICK_SIZE.1)
        .decorations(false)
        .always_on_top(true)
        .skip_taskbar(true)
        .visible(false)
        .build()?;
    hold(&window)?;
    // On macOS the menu is the app's, not a window's.
    if cfg!(not(target_os = "macos")) {
        window.remove_menu()?;
    }
    place_quick(&window)?;
    front(&window)
}

fn place_quick(window: &WebviewWindow) -> tauri::Result<()> {
    let at = window.cursor_position()?;
    let here = window.available_monitors()?.into_iter().find(|monitor| {
        let (place, size) = (monitor.position(), monitor.size());
        (f64::from(place.x)..f64::from(place.x) + f64::from(size.width)).contains(&at.x)
            && (f64::from(place.y)..f64::from(place.y) + f64::from(size.height)).contains(&at.y)
    });
    let Some(monitor) = here else { return window.center() };
    let area = monitor.work_area();
    let width = match window.outer_size()?.width {
        // It was never shown.
        0 => LogicalSize::<f64>::from(QUICK_SIZE).to_physical::<u32>(monitor.scale_factor()).width,
        width => width,
    };
    let x = area.position.x + (area.size.width.cast_signed() - width.cast_signed()) / 2;
    window.set_position(tauri::PhysicalPosition::new(x, area.position.y + 80))
}

fn front(window: &WebviewWindow) -> tauri::Result<()> {
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

fn builder<'a>(app: &'a AppHandle, label: &str, place: &str) -> WebviewWindowBuilder<'a, tauri::Wry, AppHandle> {
    let (leaving, opening) = (app.clone(), app.clone());
    let page = WebviewUrl::App(format!("index.html{place}").into());
    WebviewWindowBuilder::new(app, label, page)
        .initialization_script(HOST)
        .disable_drag_drop_handler()
        .on_navigation(move |url| {
            let ours = is_ours(url);
            if !ours {
                leave(&leaving, url);
            }
            ours
        })
        .on_new_window(move |url, _features| {
            leave(&opening, &url);
            NewWindowResponse::Deny
        })
        .on_page_load(|window, load| {
            if load.event() == PageLoadEvent::Started {
                shell(window.app_handle()).sockets.close_all(window.label());
                deaf(&window);
            }
        })
}

/// No page of anybody else in here: safe links open in the system's browser.
fn leave(app: &AppHandle, url: &Url) {
    if is_safe_link(url) {
        shell(app).note("a link", app.opener().open_url(url.as_str(), None::<&str>));
    }
}

/// Closing hides: the app stays in the tray, and what the agents do goes on.
fn hold(window: &WebviewWindow) -> tauri::Result<()> {
    let held = window.clone();
    window.on_window_event(move |event| {
        let app = held.app_handle();
        let shell = shell(app);
        match event {
            WindowEvent::CloseRequested { api, .. } if !shell.quitting() => {
                api.prevent_close();
                // Before it is away: what comes then may be the machine's end.
                shell.note("where the window was", app.save_window_state(REMEMBERED));
                shell.note("the window", held.hide());
            }
            WindowEvent::Destroyed => shell.sockets.close_all(held.label()),
            _ => {}
        }
    });
    // A page whose process ended comes back.
    #[cfg(target_os = "linux")]
    let ended = window.clone();
    #[cfg(target_os = "linux")]
    window.with_webview(|page| {
        use webkit2gtk::WebViewExt;
        page.inner().connect_web_process_terminated(move |page, _why| {
            deaf(&ended);
            page.reload();
        });
    })?;
    set_zoom(window)
}
