//! The quick panel: a small window above all others that the hotkey, the tray and the menu open and close.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tauri::{AppHandle, LogicalSize, Manager, PhysicalPosition, WebviewWindow};

use crate::{
    brand::NAME,
    hotkey,
    shell::{Shell, shell},
    windows::{self, QUICK},
};

/// In logical pixels.
const SIZE: (f64, f64) = (460.0, 560.0);

/// Whether the panel and its hotkey are available. Managed by the app, used on the main thread.
#[derive(Default)]
pub struct QuickPanel {
    on: AtomicBool,
}

/// Registers the hotkey while the flag `ambient` is on. When it is turned off, the panel is closed.
pub fn follow(shell: &Arc<Shell>) {
    let own = shell.clone();
    shell.on_view("the quick panel", move |view| {
        let on = view.is_ambient();
        if own.app.state::<QuickPanel>().on.swap(on, Ordering::AcqRel) == on {
            return Ok(());
        }
        if on {
            hotkey::register(&own);
            return Ok(());
        }
        hotkey::unregister(&own);
        own.app.get_webview_window(QUICK).map_or(Ok(()), |window| window.destroy())
    });
}

/// Shows the panel, or hides it when it is visible. Does nothing while it is not available.
pub fn toggle(app: &AppHandle) {
    if !app.state::<QuickPanel>().on.load(Ordering::Acquire) {
        return;
    }
    let toggled = match app.get_webview_window(QUICK) {
        Some(window) if window.is_visible().unwrap_or(false) => window.hide(),
        Some(window) => place(&window).and_then(|()| windows::bring_to_front(&window)),
        None => open(app),
    };
    shell(app).log_error("the quick panel", toggled);
}

fn open(app: &AppHandle) -> tauri::Result<()> {
    let window = windows::builder(app, QUICK, "#/new")
        .title(format!("{NAME}, quick panel"))
        .inner_size(SIZE.0, SIZE.1)
        .decorations(false)
        .always_on_top(true)
        .skip_taskbar(true)
        .visible(false)
        .build()?;
    windows::prepare(&window)?;
    // On macOS the menu belongs to the app, not to a window.
    if cfg!(not(target_os = "macos")) {
        window.remove_menu()?;
    }
    place(&window)?;
    windows::bring_to_front(&window)
}

/// Moves the panel to the top centre of the monitor with the pointer.
fn place(window: &WebviewWindow) -> tauri::Result<()> {
    let pointer = window.cursor_position()?;
    let here = window.available_monitors()?.into_iter().find(|monitor| {
        let (place, size) = (monitor.position(), monitor.size());
        (f64::from(place.x)..f64::from(place.x) + f64::from(size.width)).contains(&pointer.x)
            && (f64::from(place.y)..f64::from(place.y) + f64::from(size.height)).contains(&pointer.y)
    });
    let Some(monitor) = here else { return window.center() };
    let area = monitor.work_area();
    let width = match window.outer_size()?.width {
        // The window was never shown.
        0 => LogicalSize::<f64>::from(SIZE).to_physical::<u32>(monitor.scale_factor()).width,
        width => width,
    };
    let x = area.position.x + (area.size.width.cast_signed() - width.cast_signed()) / 2;
    window.set_position(PhysicalPosition::new(x, area.position.y + 80))
}
