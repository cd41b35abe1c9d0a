//! The guide's way to use the daemon from Tauri: the app starts it with two flags, and its page asks it directly.

use std::{error::Error, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    Command::new("./aster-desktop").args(["--framework", "tauri", "--port", "9528"]).spawn()?;
    tauri::Builder::default().run(tauri::generate_context!("examples/seed/tauri.conf.json"))?;
    Ok(())
}
