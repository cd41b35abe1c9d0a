//! The commands that pages may call: `window.asterHost` in host.js calls them, the capability lists them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use aster_supervisor::{Answer, Call};
use serde::Serialize;
use tauri::{AppHandle, Emitter, Manager, State, WebviewWindow, ipc::Invoke};

use crate::{
    checks::{check_frame, check_place, check_request, check_socket_url},
    diagnostics, dialogs,
    pending_place::PendingPlace,
    runtime_info::RuntimeInfo,
    shell::Shell,
    sockets::Sockets,
    updates::{self, Updates},
    windows::{MAIN, QUICK},
};

/// How long a page's call waits for the daemon's answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a page's call waits for an engine that is starting, before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// The name under which approvals are answered in a window.
const CLIENT: &str = "the app window";

type Host<'a> = State<'a, Arc<Shell>>;

/// Why a call failed, as text for the page.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Refusal(String);

impl<E: std::error::Error> From<E> for Refusal {
    fn from(cause: E) -> Self {
        Self(cause.to_string())
    }
}

type Answered<T> = Result<T, Refusal>;

/// The handler of all commands; build.rs lists the same.
pub fn handler() -> impl Fn(Invoke) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        get_runtime_info,
        start_engine,
        stop_engine,
        restart_engine,
        pick_folder,
        open_logs,
        export_diagnostics,
        check_for_updates,
        request,
        open_socket,
        send_socket,
        close_socket,
        remember_place,
        take_place,
        hide_quick,
    ]
}

#[tauri::command]
async fn get_runtime_info(host: Host<'_>) -> Answered<RuntimeInfo> {
    Ok(RuntimeInfo::of(&host))
}

#[tauri::command]
async fn start_engine(host: Host<'_>) -> Answered<()> {
    Ok(host.supervisor().start().await?)
}

#[tauri::command]
async fn stop_engine(host: Host<'_>) -> Answered<()> {
    host.supervisor().stop().await;
    Ok(())
}

#[tauri::command]
async fn restart_engine(host: Host<'_>) -> Answered<()> {
    Ok(host.supervisor().restart().await?)
}

#[tauri::command]
async fn pick_folder(app: AppHandle) -> Answered<Option<PathBuf>> {
    Ok(dialogs::pick_folder(&app, "Choose a folder").await)
}

#[tauri::command]
async fn open_logs(host: Host<'_>) -> Answered<()> {
    Ok(diagnostics::open_logs(&host)?)
}

#[tauri::command]
async fn export_diagnostics(host: Host<'_>) -> Answered<PathBuf> {
    diagnostics::export(&host).await.map_err(Refusal)
}

#[tauri::command]
async fn check_for_updates(app: AppHandle) -> Answered<Updates> {
    Ok(updates::check(&app).await)
}

#[tauri::command]
async fn request(host: Host<'_>, method: String, path: String, body: Option<String>) -> Answered<Answer> {
    check_request(&method, &path, body.as_deref())?;
    let supervisor = host.supervisor();
    supervisor.reachable(PATIENCE).await;
    Ok(supervisor.call(Call { method, path, body, within: TIMEOUT, client: Some(CLIENT.into()) }).await?)
}

#[tauri::command]
async fn open_socket(
    host: Host<'_>,
    sockets: State<'_, Sockets>,
    window: WebviewWindow,
    url: String,
) -> Answered<String> {
    check_socket_url(&url)?;
    let supervisor = host.supervisor();
    supervisor.reachable(PATIENCE).await;
    let owner = window.label().to_owned();
    Ok(sockets.open(&owner, supervisor.endpoint()?, CLIENT, move |event| {
        // The window may have been closed; its sockets are closed with it.
        let _ = window.emit_to(window.label(), "aster:socket-event", event);
    })?)
}

#[tauri::command]
async fn send_socket(sockets: State<'_, Sockets>, window: WebviewWindow, id: String, data: String) -> Answered<()> {
    check_frame(&data)?;
    Ok(sockets.send(window.label(), &id, data)?)
}

#[tauri::command]
async fn close_socket(sockets: State<'_, Sockets>, window: WebviewWindow, id: String) -> Answered<()> {
    sockets.close(window.label(), &id);
    Ok(())
}

#[tauri::command]
async fn remember_place(host: Host<'_>, place: String) -> Answered<()> {
    check_place(&place)?;
    Ok(host.state.change(|remembered| remembered.last_place = Some(place))?)
}

#[tauri::command]
async fn take_place(pending: State<'_, PendingPlace>, window: WebviewWindow) -> Answered<Option<String>> {
    Ok(if window.label() == MAIN { pending.listen() } else { None })
}

#[tauri::command]
async fn hide_quick(app: AppHandle) -> Answered<()> {
    match app.get_webview_window(QUICK) {
        Some(window) => Ok(window.hide()?),
        None => Ok(()),
    }
}
