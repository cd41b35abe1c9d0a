//! The app in real windows: a real WebKit, the shared page and the real daemon.
//!
//! Needs Xvfb, a D-Bus session bus, WebKitWebDriver and tauri-driver. Without them each test is skipped and says why;
//! with `CI=true` it fails instead.
#![cfg(target_os = "linux")]

#[path = "../desk/mod.rs"]
mod desk;

mod conversation;
mod crash_and_quit;
mod files;
mod page;
mod steps;
mod tray_and_menu;
mod windows;
