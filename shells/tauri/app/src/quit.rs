//! The end of the app: it exits after the engine has stopped.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use tauri::{AppHandle, Manager, async_runtime::spawn};

use crate::shell::Shell;

const RUNNING: u8 = 0;
const STOPPING: u8 = 1;
const STOPPED: u8 = 2;

/// The progress of quitting. Managed by the app.
#[derive(Default)]
pub struct Quit(AtomicU8);

/// Whether the app has begun to quit.
pub fn is_quitting(app: &AppHandle) -> bool {
    app.state::<Quit>().0.load(Ordering::Acquire) != RUNNING
}

/// Whether the app may exit now. The first call hides the windows and stops the engine, after which the app exits.
pub fn may_exit(shell: &Arc<Shell>) -> bool {
    let quit = shell.app.state::<Quit>();
    if let Err(phase) = quit.0.compare_exchange(RUNNING, STOPPING, Ordering::AcqRel, Ordering::Acquire) {
        return phase == STOPPED;
    }
    for window in shell.app.webview_windows().values() {
        shell.log_error("a window", window.hide());
    }
    let shell = shell.clone();
    spawn(async move {
        let supervisor = shell.supervisor();
        supervisor.stop().await;
        supervisor.log().flush().await;
        shell.app.state::<Quit>().0.store(STOPPED, Ordering::Release);
        shell.app.exit(0);
    });
    false
}

/// Quits on SIGINT, SIGTERM and SIGHUP, so that the daemon ends with the app. Raises: the system's error.
#[cfg(unix)]
pub fn on_signals(app: &AppHandle) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let app = app.clone();
        let mut received = tauri::async_runtime::block_on(async { signal(kind) })?;
        spawn(async move {
            while received.recv().await.is_some() {
                app.exit(0);
            }
        });
    }
    Ok(())
}

/// Quits on Ctrl-C. Raises no error.
#[cfg(not(unix))]
pub fn on_signals(app: &AppHandle) -> io::Result<()> {
    let app = app.clone();
    spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            app.exit(0);
        }
    });
    Ok(())
}
