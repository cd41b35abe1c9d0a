//! What `window.asterHost.getRuntimeInfo()` returns.

use std::path::PathBuf;

use aster_supervisor::{PROTOCOL, Status, Transport};
use serde::Serialize;

use crate::shell::Shell;

#[derive(Serialize)]
pub struct RuntimeInfo {
    surface: &'static str,
    framework: &'static str,
    app_version: String,
    protocol: i64,
    engine_status: Status,
    data_dir: PathBuf,
    logs_dir: PathBuf,
    config_path: PathBuf,
    workspace_path: PathBuf,
    /// The daemon's binary; empty before the first start.
    engine: PathBuf,
    engine_transport: Transport,
}

impl RuntimeInfo {
    pub fn of(shell: &Shell) -> Self {
        let supervisor = shell.supervisor();
        let info = supervisor.info();
        let data_dir = supervisor.data_dir();
        Self {
            surface: "native",
            framework: "tauri",
            app_version: shell.app.package_info().version.to_string(),
            protocol: PROTOCOL,
            engine_status: info.status,
            data_dir: data_dir.into(),
            logs_dir: supervisor.logs_dir().unwrap_or(data_dir).into(),
            config_path: data_dir.join("config.toml"),
            workspace_path: data_dir.join("workspace"),
            engine: info.binary.map(|binary| binary.path).unwrap_or_default(),
            engine_transport: info.transport,
        }
    }
}
