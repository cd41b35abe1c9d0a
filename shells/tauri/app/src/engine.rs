//! The engine, which is the daemon with its supervisor: makes the supervisor, starts and stops it, and passes on each
//! change of its status.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aster_supervisor::{OVERRIDE, Options, Places, Problem, Status, Supervisor, Timing};
use tauri::{AppHandle, Emitter, Manager, async_runtime::spawn};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind, MessageDialogResult};

use crate::{
    brand::{NAME, PORT},
    diagnostics, dialogs,
    shell::Shell,
};

const AGAIN: &str = "Try again";
const LOGS: &str = "Open logs";

#[derive(Clone, Copy)]
pub enum Request {
    Start,
    Stop,
    Restart,
}

/// Starts, stops or restarts the engine, without waiting for it. Errors show in its status; see [`follow`].
pub fn run(shell: &Shell, request: Request) {
    let supervisor = shell.supervisor();
    spawn(async move {
        let _ = match request {
            Request::Start => supervisor.start().await,
            Request::Restart => supervisor.restart().await,
            Request::Stop => {
                supervisor.stop().await;
                Ok(())
            }
        };
    });
}

/// Publishes each status of the current supervisor, sends it to the pages, and shows a dialog after a crash. Ends with
/// the supervisor.
pub fn follow(shell: &Arc<Shell>) {
    let shell = shell.clone();
    let mut changes = shell.supervisor().subscribe();
    spawn(async move {
        while let Some(status) = changes.recv().await {
            shell.publish(|view| view.status = status);
            shell.log_error("a window", shell.app.emit("aster:runtime-status", status));
            if status == Status::Crashed {
                explain_crash(&shell);
            }
        }
    });
}

/// Shows why the engine does not run, with buttons to start it again and to open the logs.
fn explain_crash(shell: &Arc<Shell>) {
    let Some(Problem { message, hint, .. }) = shell.supervisor().info().problem else { return };
    let text = hint.map_or(message.clone(), |hint| format!("{message}\n\n{hint}"));
    let answered = shell.clone();
    shell
        .app
        .dialog()
        .message(text)
        .title(format!("{NAME}'s engine does not run"))
        .kind(MessageDialogKind::Error)
        .buttons(MessageDialogButtons::YesNoCancelCustom(AGAIN.into(), LOGS.into(), "Later".into()))
        .show_with_result(move |answer| match answer {
            MessageDialogResult::Custom(answer) if answer == AGAIN => run(&answered, Request::Start),
            MessageDialogResult::Custom(answer) if answer == LOGS => {
                let opened = diagnostics::open_logs(&answered);
                dialogs::report(&answered.app, "The logs could not be opened", opened);
            }
            _ => {}
        });
}

/// A supervisor of a daemon with this data directory. It is not started.
pub fn supervisor(app: &AppHandle, data_dir: PathBuf) -> Supervisor {
    // In development the checkout's daemon is used, unless the environment names another one.
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let places = Places {
        instead: std::env::var_os(OVERRIDE).map(PathBuf::from),
        bundled: if tauri::is_dev() { Vec::new() } else { bundle(app) },
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

/// The app's own directories: its resources and the directory of its executable.
pub fn bundle(app: &AppHandle) -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    app.path().resource_dir().ok().into_iter().chain(beside).collect()
}
