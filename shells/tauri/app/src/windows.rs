//! The windows: each shows the shared page and can't leave the app's own pages. quick_panel.rs adds the quick panel.

use tauri::{
    AppHandle, Emitter, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent,
    webview::{NewWindowResponse, PageLoadEvent},
};
use tauri_plugin_opener::OpenerExt;
use tauri_plugin_window_state::{AppHandleExt, StateFlags};

use crate::{
    brand::NAME,
    checks::{is_ours, is_safe_link},
    pending_place::PendingPlace,
    quit::is_quitting,
    shell::shell,
    sockets::Sockets,
};

pub const MAIN: &str = "main";
pub const QUICK: &str = "quick";
/// What the window-state plugin remembers of the main window, in its own file.
pub const REMEMBERED: StateFlags = StateFlags::all().difference(StateFlags::VISIBLE.union(StateFlags::DECORATIONS));
const HOST: &str = include_str!("host.js");

/// Creates the main window at `place`, otherwise at the place in the page where the user was last.
pub fn open(app: &AppHandle, place: Option<&str>, hidden: bool) -> tauri::Result<WebviewWindow> {
    let last = shell(app).state.current().last_place;
    let place = place.or(last.as_deref()).unwrap_or("#/");
    let window = builder(app, MAIN, place)
        .title(NAME)
        .inner_size(1080.0, 760.0)
        .min_inner_size(360.0, 400.0)
        .visible(!hidden)
        .build()?;
    prepare(&window)?;
    Ok(window)
}

/// Shows the main window and brings it to the front, at `place` if one is given. Errors are logged.
pub fn show(app: &AppHandle, place: Option<&str>) {
    let shown = match app.get_webview_window(MAIN) {
        None => open(app, place, false).map(|_| ()),
        Some(window) => bring_to_front(&window).and_then(|()| {
            let pending = app.state::<PendingPlace>();
            let now = place.and_then(|place| pending.send(place));
            now.map_or(Ok(()), |place| window.emit_to(MAIN, "aster:go", place))
        }),
    };
    shell(app).log_error("the window", shown);
}

/// Call it when a page is loaded again: until it asks for its place, events don't reach it.
fn page_reloads(window: &WebviewWindow) {
    if window.label() == MAIN {
        window.state::<PendingPlace>().reload();
    }
}

/// Whether a visible window has the focus.
pub fn focused(app: &AppHandle) -> bool {
    both(app).any(|window| has_focus(&window))
}

fn both(app: &AppHandle) -> impl Iterator<Item = WebviewWindow> {
    [MAIN, QUICK].into_iter().filter_map(|label| app.get_webview_window(label))
}

fn has_focus(window: &WebviewWindow) -> bool {
    window.is_visible().unwrap_or(false) && window.is_focused().unwrap_or(false)
}

/// Calls `act` with the focused window, otherwise with the main window. Errors are logged.
pub fn with_front(app: &AppHandle, act: impl FnOnce(&WebviewWindow) -> tauri::Result<()>) {
    let front = both(app).find(has_focus).or_else(|| app.get_webview_window(MAIN));
    if let Some(window) = front {
        shell(app).log_error("a window", act(&window));
    }
}

pub fn reload(window: &WebviewWindow) -> tauri::Result<()> {
    page_reloads(window);
    window.reload()
}

pub fn toggle_maximized(window: &WebviewWindow) -> tauri::Result<()> {
    if window.is_maximized()? { window.unmaximize() } else { window.maximize() }
}

#[cfg(debug_assertions)]
#[expect(clippy::unnecessary_wraps, reason = "the signature that with_front takes")]
pub fn toggle_devtools(window: &WebviewWindow) -> tauri::Result<()> {
    if window.is_devtools_open() {
        window.close_devtools()
    } else {
        window.open_devtools()
    }
    Ok(())
}

/// Changes the zoom of both windows, in percent, and remembers it. Errors are logged.
pub fn zoom(app: &AppHandle, change: impl FnOnce(i64) -> i64) {
    let shell = shell(app);
    let zoomed = shell.state.change(|remembered| remembered.zoom_percent = change(remembered.zoom_percent));
    shell.log_error("the state file", zoomed);
    for window in both(app) {
        shell.log_error("a window", set_zoom(&window));
    }
}

fn set_zoom(window: &WebviewWindow) -> tauri::Result<()> {
    let percent = shell(window.app_handle()).state.current().zoom_percent;
    window.set_zoom(f64::from(i32::try_from(percent).unwrap_or(100)) / 100.0)
}

/// Runs an item of the Edit menu. `id`: `edit-` and the name of one of WebKit's editing commands.
#[cfg(target_os = "linux")]
pub fn edit(app: &AppHandle, id: &str) {
    use webkit2gtk::WebViewExt;
    let Some(command) = id.strip_prefix("edit-").map(str::to_owned) else { return };
    with_front(app, |window| window.with_webview(move |page| page.inner().execute_editing_command(&command)));
}

/// Shows the window, also a minimized one, and gives it the focus.
pub fn bring_to_front(window: &WebviewWindow) -> tauri::Result<()> {
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

/// A builder of a window that shows the shared page at `place` and can't be navigated elsewhere.
pub fn builder<'a>(app: &'a AppHandle, label: &str, place: &str) -> WebviewWindowBuilder<'a, tauri::Wry, AppHandle> {
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
                window.state::<Sockets>().close_all(window.label());
                page_reloads(&window);
            }
        })
}

/// Opens a link that leaves the app in the system's browser, if it is safe; others do nothing.
fn leave(app: &AppHandle, url: &Url) {
    if is_safe_link(url) {
        shell(app).log_error("a link", app.opener().open_url(url.as_str(), None::<&str>));
    }
}

/// Sets up a new window: closing hides it, so that agents go on working; a page whose process ended is loaded again;
/// the zoom is the remembered one.
pub fn prepare(window: &WebviewWindow) -> tauri::Result<()> {
    let prepared = window.clone();
    window.on_window_event(move |event| {
        let app = prepared.app_handle();
        match event {
            WindowEvent::CloseRequested { api, .. } if !is_quitting(app) => {
                let shell = shell(app);
                api.prevent_close();
                // Saved before it is hidden: the machine may be switched off without another event.
                shell.log_error("where the window was", app.save_window_state(REMEMBERED));
                shell.log_error("the window", prepared.hide());
            }
            WindowEvent::Destroyed => app.state::<Sockets>().close_all(prepared.label()),
            _ => {}
        }
    });
    #[cfg(target_os = "linux")]
    let ended = window.clone();
    #[cfg(target_os = "linux")]
    window.with_webview(|page| {
        use webkit2gtk::WebViewExt;
        page.inner().connect_web_process_terminated(move |page, _why| {
            page_reloads(&ended);
            page.reload();
        });
    })?;
    set_zoom(window)
}
