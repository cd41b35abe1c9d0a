//! The tray: how the engine is, what waits for the person, and the way back to the window.

use aster_supervisor::Status;
use tauri::{
    AppHandle,
    image::Image,
    menu::{CheckMenuItemBuilder, MenuBuilder, MenuItemBuilder},
    tray::{MouseButton, MouseButtonState, TrayIconBuilder, TrayIconEvent},
};

use crate::{brand::NAME, windows};

const ID: &str = "tray";

pub struct Picture {
    pub status: Status,
    pub waiting: usize,
    pub unread: u64,
    pub notifications: bool,
    pub start_on_login: bool,
    pub hotkey_problem: Option<String>,
}

impl Picture {
    /// What a person reads when the pointer is over it.
    fn summary(&self) -> String {
        let status = match self.status {
            Status::Crashed => "has crashed".into(),
            status => status.to_string(),
        };
        let waiting = match self.waiting {
            0 => None,
            1 => Some("1 question waits".into()),
            many => Some(format!("{many} questions wait")),
        };
        let unread = (self.unread > 0).then(|| format!("{} unread", self.unread));
        let said: Vec<String> = [Some(status), waiting, unread].into_iter().flatten().collect();
        format!("{NAME}: {}", said.join(", "))
    }
}

pub fn open(app: &AppHandle) -> tauri::Result<()> {
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

/// Not removed: of one that was removed, Linux lets no second one be seen.
pub fn close(app: &AppHandle) -> tauri::Result<()> {
    app.tray_by_id(ID).map_or(Ok(()), |tray| tray.set_visible(false))
}

pub fn show(app: &AppHandle, picture: &Picture) -> tauri::Result<()> {
    let Some(tray) = app.tray_by_id(ID) else { return Ok(()) };
    let summary = picture.summary();
    tray.set_tooltip(Some(&summary))?;
    if cfg!(target_os = "macos") {
        tray.set_title((picture.waiting > 0).then(|| picture.waiting.to_string()))?;
    }
    let word = |text: &str| MenuItemBuilder::new(text).enabled(false).build(app);
    let check = |id: &str, text: &str, on| CheckMenuItemBuilder::with_id(id, text).checked(on).build(app);
    let mut menu = MenuBuilder::new(app).item(&word(&summary)?);
    if let Some(problem) = &picture.hotkey_problem {
        menu = menu.item(&word(problem)?);
    }
    let inbox = if picture.waiting > 0 { format!("Inbox ({})", picture.waiting) } else { "Inbox".into() };
    menu = menu.separator().text("open", format!("Open {NAME}")).text("inbox", inbox).text("quick", "Quick Panel");
    menu = match picture.status {
        Status::Stopped | Status::Crashed => menu.separator().text("engine-start", "Start Engine"),
        _ => menu.separator().text("engine-restart", "Restart Engine"),
    };
    let menu = menu
        .item(&check("notifications", "Notifications", picture.notifications)?)
        .item(&check("start-on-login", "Start on Login", picture.start_on_login)?)
        .separator()
        .text("quit", "Quit")
        .build()?;
    tray.set_menu(Some(menu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_things_are() {
        let mut picture = Picture {
            status: Status::Ready,
            waiting: 0,
            unread: 0,
            notifications: true,
            start_on_login: false,
            hotkey_problem: None,
        };
        assert_eq!(picture.summary(), "Aster: ready");
        picture.waiting = 1;
        assert_eq!(picture.summary(), "Aster: ready, 1 question waits");
        (picture.status, picture.waiting, picture.unread) = (Status::Crashed, 2, 3);
        assert_eq!(picture.summary(), "Aster: has crashed, 2 questions wait, 3 unread");
    }
}
