//! The windows: the main one and the quick panel, both the shared page, both with no way out of the app's own pages.

use tauri::{
    AppHandle, Emitter, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent,
    webview::{NewWindowResponse, PageLoadEvent},
};
use tauri_plugin_opener::OpenerExt;

use crate::{
    brand::NAME,
    checks::{is_ours, is_safe_link},
    shell::{Shell, shell},
};

pub const MAIN: &str = "main";
pub const QUICK: &str = "quick";
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
    hold(&window);
    Ok(window)
}

/// Shows the main window, at `place` when one is given.
pub fn show(app: &AppHandle, place: Option<&str>) {
    let shown = match app.get_webview_window(MAIN) {
        None => open(app, place, false).map(|_| ()),
        Some(window) => front(&window).and_then(|()| match place {
            Some(place) => window.emit_to(MAIN, "aster:go", place),
            None => Ok(()),
        }),
    };
    shell(app).note("the window", shown);
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
    let sees = |window: WebviewWindow| window.is_visible().unwrap_or(false) && window.is_focused().unwrap_or(false);
    [MAIN, QUICK].into_iter().filter_map(|label| app.get_webview_window(label)).any(sees)
}

fn open_quick(app: &AppHandle) -> tauri::Result<()> {
    let window = builder(app, QUICK, "#/new")
        .title(format!("{NAME}, quick panel"))
        .inner_size(460.0, 560.0)
        .decorations(false)
        .always_on_top(true)
        .skip_taskbar(true)
        .visible(false)
        .build()?;
    hold(&window);
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
    let width = window.outer_size()?.width.cast_signed();
    let x = area.position.x + (area.size.width.cast_signed() - width) / 2;
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
fn hold(window: &WebviewWindow) {
    let held = window.clone();
    window.on_window_event(move |event| {
        let shell: std::sync::Arc<Shell> = shell(held.app_handle());
        match event {
            WindowEvent::CloseRequested { api, .. } if !shell.quitting() => {
                api.prevent_close();
                shell.note("the window", held.hide());
            }
            WindowEvent::Destroyed => shell.sockets.close_all(held.label()),
            _ => {}
        }
    });
}
