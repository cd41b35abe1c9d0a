//! The redaction test vectors that the daemon and every shell share.

use std::{collections::BTreeMap, fs, path::Path};

use aster_supervisor::Redaction;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    text: String,
    hides: Vec<String>,
    keeps: Vec<String>,
    #[serde(default)]
    not_in: Vec<String>,
}

impl Vector {
    /// What is wrong with the redaction of this vector's text.
    fn wrong(&self) -> Option<String> {
        let redaction = Redaction::default();
        for secret in &self.secrets {
            redaction.learn(secret);
        }
        redaction.learn_from(&self.environment);
        let cleaned = redaction.clean(&self.text);
        let shown = self.hides.iter().find(|secret| cleaned.contains(*secret));
        if self.not_in.iter().any(|name| name == "tauri") {
            // A vector that is listed as not supported must really fail; otherwise the list is out of date.
            return shown.is_none().then(|| format!("{}: no longer belongs into not_in", self.name));
        }
        let lost = self.keeps.iter().find(|kept| !cleaned.contains(*kept));
        let masked = if self.hides.is_empty() { cleaned == self.text } else { cleaned.contains("[secret]") };
        (shown.is_some() || lost.is_some() || !masked).then(|| format!("{}: {cleaned}", self.name))
    }
}

#[test]
fn the_shared_vectors_of_redaction_hold() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/redaction.json");
    let text = fs::read(path).expect("the vectors");
    let vectors: Vec<Vector> = serde_json::from_slice(&text).expect("a list of vectors");
    assert!(vectors.len() > 20);
    let wrong: Vec<String> = vectors.iter().filter_map(Vector::wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
