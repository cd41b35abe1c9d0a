//! What all parts of the app share: the state file, the engine's supervisor, and the view to which they subscribe.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use aster_supervisor::{Stream, Supervisor};
use tauri::{AppHandle, Manager, async_runtime::spawn};
use tokio::sync::watch;

use crate::{state::StateFile, view::View};

pub struct Shell {
    pub app: AppHandle,
    pub state: StateFile,
    /// Replaced when the data directory changes.
    supervisor: RwLock<Supervisor>,
    view: watch::Sender<View>,
}

/// The shell that the app manages. Panics: before it is set up.
pub fn shell(app: &AppHandle) -> Arc<Shell> {
    app.state::<Arc<Shell>>().inner().clone()
}

impl Shell {
    pub fn new(app: &AppHandle, supervisor: Supervisor, state: StateFile) -> Arc<Self> {
        let view = watch::Sender::new(View::new(&state.current()));
        Arc::new(Self { app: app.clone(), state, supervisor: RwLock::new(supervisor), view })
    }

    /// The supervisor of the current data directory.
    pub fn supervisor(&self) -> Supervisor {
        self.supervisor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn replace_supervisor(&self, next: Supervisor) {
        *self.supervisor.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Receives the current view and its changes. Of several changes in a row, it may receive only the last.
    pub fn subscribe(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// Changes the view. Subscribers are notified even if it is equal to the one before: a system toggles the tick of a
    /// menu item by itself, and a change that failed has to set it back.
    pub fn publish(&self, change: impl FnOnce(&mut View)) {
        self.view.send_modify(change);
    }

    /// Calls `show` on the main thread, with the view as it is now and after each change. Errors are logged under the
    /// name `part`.
    pub fn on_view(
        self: &Arc<Self>,
        part: &'static str,
        show: impl FnMut(&View) -> tauri::Result<()> + Send + 'static,
    ) {
        let (shell, show) = (self.clone(), Arc::new(Mutex::new(show)));
        let mut changes = self.subscribe();
        let draw = move || {
            let (drawn, show) = (shell.clone(), show.clone());
            let sent = shell.app.run_on_main_thread(move || {
                // Read here, so that no older view is shown after a newer one; cloned, so that `show` may publish.
                let view = drawn.view.borrow().clone();
                drawn.log_error(part, show.lock().unwrap_or_else(PoisonError::into_inner)(&view));
            });
            shell.log_error(part, sent);
        };
        draw();
        spawn(async move {
            while changes.changed().await.is_ok() {
                draw();
            }
        });
    }

    /// Writes an error to the engine's log, as `what: error`.
    pub fn log_error<E: Display>(&self, what: &str, result: Result<(), E>) {
        if let Err(cause) = result {
            self.supervisor().log().add(Stream::Shell, &format!("{what}: {cause}"));
        }
    }
}
