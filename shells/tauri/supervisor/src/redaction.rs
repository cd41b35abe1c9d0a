//! Masks secrets in the daemon's output: known values, and text that looks like a secret.

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;

const MASK: &str = "[secret]";
/// Shorter values are not masked: they occur in ordinary text. In bytes.
const SHORTEST: usize = 8;
/// The characters that are not encoded in a part of a URL.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

static NAMES: LazyLock<Regex> =
    LazyLock::new(|| pattern("(?i)KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|COOKIE|PRIVATE"));
static LOOKS: LazyLock<[Regex; 4]> = LazyLock::new(|| {
    [
        pattern(r"\b(?:sk|pk|rk|sess|key)-[A-Za-z0-9_-]{12,}"),
        pattern(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|hf_|AIza)[A-Za-z0-9_.-]{10,}"),
        pattern(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"),
        pattern(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"),
    ]
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns are constants, and tested")
}

#[derive(Debug, Default)]
pub struct Redaction {
    known: Mutex<BTreeSet<String>>,
}

impl Redaction {
    /// Masks this value from now on.
    pub fn learn(&self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(forms(secret));
        }
    }

    /// Learns the values of variables whose names say that they are secret.
    pub fn learn_from<K: AsRef<str>, V: AsRef<str>>(&self, environment: impl IntoIterator<Item = (K, V)>) {
        for (name, value) in environment {
            if NAMES.is_match(name.as_ref()) {
                self.learn(value.as_ref());
            }
        }
    }

    /// Stops masking a value, such as the token of a daemon that has ended.
    pub fn forget(&self, secret: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for form in forms(secret) {
            known.remove(&form);
        }
    }

    /// The text with every secret replaced.
    pub fn clean(&self, text: &str) -> String {
        let mut known: Vec<_> = self.known.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        // Longest first: a secret may contain another one.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mut clean = text.to_owned();
        for secret in known {
            if clean.contains(&secret) {
                clean = clean.replace(&secret, MASK);
            }
        }
        for look in LOOKS.iter() {
            clean = look.replace_all(&clean, MASK).into_owned();
        }
        clean
    }
}

/// The secret as it is, percent-encoded, and escaped as in JSON.
fn forms(secret: &str) -> [String; 3] {
    let json = serde_json::Value::from(secret).to_string();
    [secret.to_owned(), utf8_percent_encode(secret, PLAIN).to_string(), json[1..json.len() - 1].to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_by_value_and_by_look() {
        let redaction = Redaction::default();
        redaction.learn("a+secret/value");
        redaction.learn_from([("OPENAI_API_KEY", "plain looking value"), ("HOME", "/home/ada"), ("TOKEN", "short")]);
        let said = "a+secret/value a%2Bsecret%2Fvalue plain looking value /home/ada short Bearer abcdefghij \
                    sk-0123456789abcdef";
        assert_eq!(redaction.clean(said), "[secret] [secret] [secret] /home/ada short [secret] [secret]");
        redaction.forget("a+secret/value");
        assert_eq!(redaction.clean("a%2Bsecret%2Fvalue"), "a%2Bsecret%2Fvalue");
    }
}
