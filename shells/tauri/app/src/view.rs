//! What the app shows outside of its pages: in the tray, the menu and the badge.

use aster_supervisor::Status;

use crate::{attention::Attention, state::Remembered};

#[derive(Debug, Clone)]
pub struct View {
    /// The engine's status.
    pub status: Status,
    pub attention: Attention,
    /// Whether the user wants notifications.
    pub notifications: bool,
    /// Whether the app starts when the user logs in.
    pub start_on_login: bool,
    /// Why the hotkey could not be registered.
    pub hotkey_problem: Option<String>,
}

impl View {
    /// The view at the start of the app: the engine is stopped, and nothing is known of the daemon.
    pub fn new(remembered: &Remembered) -> Self {
        Self {
            status: Status::Stopped,
            attention: Attention::default(),
            notifications: remembered.notifications,
            start_on_login: remembered.start_on_login,
            hotkey_problem: None,
        }
    }

    /// Takes over the settings that the state file remembers.
    pub fn remember(&mut self, remembered: &Remembered) {
        self.notifications = remembered.notifications;
        self.start_on_login = remembered.start_on_login;
    }

    /// Whether the daemon's flag `ambient` is on: then there are a tray, a quick panel and a hotkey.
    pub fn is_ambient(&self) -> bool {
        self.attention.is_on("ambient")
    }
}
