//! The tray: the engine's status, what waits for the user, and a menu that leads back to the window.

use std::sync::Arc;

use aster_supervisor::Status;
use tauri::{
    AppHandle,
    image::Image,
    menu::{CheckMenuItemBuilder, MenuBuilder, MenuItemBuilder},
    tray::{MouseButton, MouseButtonState, TrayIconBuilder, TrayIconEvent},
};

use crate::{brand::NAME, shell::Shell, view::View, windows};

const ID: &str = "tray";
/// The largest number of characters of the reason in the line about the browser.
const REASON_MOST: usize = 80;

/// Shows the tray while the flag `ambient` is on, with the current view.
pub fn follow(shell: &Arc<Shell>) {
    let app = shell.app.clone();
    let mut shown = false;
    shell.on_view("the tray", move |view| {
        let on = view.is_ambient();
        if on != shown {
            shown = on;
            if on { open(&app)? } else { close(&app)? }
        }
        draw(&app, view)
    });
}

/// The tray's tooltip, which is also the first line of its menu.
fn summary(view: &View) -> String {
    let status = match view.status {
        Status::Crashed => "has crashed".into(),
        status => status.to_string(),
    };
    let waiting = match view.attention.waiting.len() {
        0 => None,
        1 => Some("1 question waits".into()),
        many => Some(format!("{many} questions wait")),
    };
    let unread = (view.attention.unread > 0).then(|| format!("{} unread", view.attention.unread));
    let parts: Vec<String> = [Some(status), waiting, unread].into_iter().flatten().collect();
    format!("{NAME}: {}", parts.join(", "))
}

/// The line about the agents' browser. None: it is off, or the engine does not run.
fn browser_line(view: &View) -> Option<String> {
    let browser = view.attention.browser().filter(|_| view.status == Status::Ready)?;
    let words = match (browser.state.as_deref(), browser.error) {
        (Some("backoff" | "crashed"), Some(error)) => format!("failed – {}", short(&error)),
        (Some("backoff" | "crashed"), None) => "failed".into(),
        (Some("idle"), _) => "not started".into(),
        (Some("disabled"), _) => "off".into(),
        (Some(state), _) => state.to_owned(),
        (None, _) => "not available".into(),
    };
    Some(format!("Browser: {words}"))
}

/// The first part of an error, in one line; the page shows all of it.
fn short(error: &str) -> String {
    let line = error.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = line.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let first = line.split("; ").next().unwrap_or_default();
    match first.char_indices().nth(REASON_MOST) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_owned(),
    }
}

fn open(app: &AppHandle) -> tauri::Result<()> {
    if let Some(tray) = app.tray_by_id(ID) {
        return tray.set_visible(true);
    }
    let icon = Image::from_bytes(include_bytes!("../icons/tray.png"))?;
    TrayIconBuilder::with_id(ID)
        .icon(icon)
        .icon_as_template(true)
        .show_menu_on_left_click(false)
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Up, .. } = event {
                windows::show(tray.app_handle(), None);
            }
        })
        .build(app)?;
    Ok(())
}

/// Hides the tray. Not removed: on Linux a tray that is made after a removal is never visible.
fn close(app: &AppHandle) -> tauri::Result<()> {
    app.tray_by_id(ID).map_or(Ok(()), |tray| tray.set_visible(false))
}

/// Sets the tooltip and the menu of an open tray.
fn draw(app: &AppHandle, view: &View) -> tauri::Result<()> {
    let Some(tray) = app.tray_by_id(ID) else { return Ok(()) };
    let (summary, waiting) = (summary(view), view.attention.waiting.len());
    tray.set_tooltip(Some(&summary))?;
    if cfg!(target_os = "macos") {
        tray.set_title((waiting > 0).then(|| waiting.to_string()))?;
    }
    let text = |text: &str| MenuItemBuilder::new(text).enabled(false).build(app);
    let check = |id: &str, text: &str, on| CheckMenuItemBuilder::with_id(id, text).checked(on).build(app);
    let mut menu = MenuBuilder::new(app).item(&text(&summary)?);
    if let Some(problem) = &view.hotkey_problem {
        menu = menu.item(&text(problem)?);
    }
    let inbox = if waiting > 0 { format!("Inbox ({waiting})") } else { "Inbox".into() };
    menu = menu.separator().text("open", format!("Open {NAME}")).text("inbox", inbox).text("quick", "Quick Panel");
    if let Some(line) = browser_line(view) {
        // A single ampersand underlines the next letter.
        menu = menu.text("agents-browser", line.replace('&', "&&"));
    }
    menu = match view.status {
        Status::Stopped | Status::Crashed => menu.separator().text("engine-start", "Start Engine"),
        _ => menu.separator().text("engine-restart", "Restart Engine"),
    };
    let menu = menu
        .item(&check("notifications", "Notifications", view.notifications)?)
        .item(&check("start-on-login", "Start on Login", view.start_on_login)?)
        .separator()
        .text("quit", "Quit")
        .build()?;
    tray.set_menu(Some(menu))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::attention::Attention;

    #[test]
    fn it_says_how_things_are() {
        let mut view = View {
            status: Status::Ready,
            attention: Attention::default(),
            notifications: true,
            start_on_login: false,
            hotkey_problem: None,
        };
        assert_eq!(summary(&view), "Aster: ready");
        view.attention.waiting.insert("call_1".into());
        assert_eq!(summary(&view), "Aster: ready, 1 question waits");
        view.attention.waiting.insert("call_2".into());
        (view.status, view.attention.unread) = (Status::Crashed, 3);
        assert_eq!(summary(&view), "Aster: has crashed, 2 questions wait, 3 unread");

        view.status = Status::Ready;
        assert_eq!(browser_line(&view), None);
        let missing = "no browser was\nfound: neither Chromium, Chrome, Edge nor Brave; install one";
        let long = "é".repeat(REASON_MOST);
        for (state, error, words) in [
            ("idle", None, "not started"),
            ("starting", Some(missing), "starting"),
            ("ready", None, "ready"),
            ("backoff", Some(missing), "failed – no browser was found: neither Chromium, Chrome, Edge nor Brave"),
            ("crashed", None, "failed"),
            ("crashed", Some(long.as_str()), &format!("failed – {long}")),
            ("crashed", Some(&format!("{long}é")), &format!("failed – {long}…")),
            ("", None, "not available"),
        ] {
            let server = json!({ "managed": !state.is_empty(), "state": state, "error": error });
            let flags = json!([{ "name": "browser", "value": true }]);
            view.attention = Attention::of_snapshot(&json!({ "flags": flags, "browser": { "server": server } }));
            assert_eq!(browser_line(&view), Some(format!("Browser: {words}")));
        }
        view.status = Status::Restarting;
        assert_eq!(browser_line(&view), None, "its state is not known");
    }
}
