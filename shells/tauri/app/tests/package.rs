//! The app from its .deb, unpacked into a temporary root: its window and the daemon in the package.
//!
//! `ASTER_DEB` names the package; `cargo.sh test` builds one and sets it. Without it the test is skipped.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod desk;

use std::{path::Path, process::Command};

use desk::{Desk, Result, gone, send, until};
use nix::sys::signal::Signal;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_package_brings_its_daemon_and_runs_where_it_was_unpacked() -> Result<()> {
    let Some(package) = std::env::var_os("ASTER_DEB") else {
        eprintln!("skipped: ASTER_DEB names no package");
        return Ok(());
    };
    if let Some(why) = desk::missing() {
        return Err(why.into());
    }
    let root = tempfile::tempdir()?;
    assert!(Command::new("dpkg-deb").arg("-x").arg(&package).arg(root.path()).status()?.success());
    assert!(root.path().join("usr/share/applications/Aster.desktop").exists());
    let desk = Desk::packaged(root.path().join("usr/bin/aster-app"))?;
    let app = desk.launch().await?;
    let about = app.promised("window.asterHost.getRuntimeInfo()").await?;
    let engine = root.path().join("usr/lib/Aster/aster-desktop/aster-desktop");
    assert_eq!((&about["engine_status"], &about["engine"]), (&json!("ready"), &json!(engine)));

    app.talk().await?;
    app.say("write packaged.txt").await?;
    app.click("Allow once").await?;
    until("the file", || desk.path("work/packaged.txt").exists()).await?;
    desk.shot("packaged");

    let (daemon, shell) = app.pids()?;
    assert_eq!(Path::new(&format!("/proc/{daemon}/exe")).read_link()?, engine);
    send(daemon, Signal::SIGKILL)?;
    gone(&[daemon]).await?;
    until("the next daemon", || app.pids().is_ok_and(|(next, _)| next != daemon)).await?;
    app.shows("packaged.txt").await?;
    let (daemon, _) = app.pids()?;
    send(shell, Signal::SIGTERM)?;
    gone(&[daemon, shell]).await
}
