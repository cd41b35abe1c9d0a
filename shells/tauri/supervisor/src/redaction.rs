//! Takes secrets out of what is kept of the daemon's output: those that are known, and what looks like one.

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;

const MASK: &str = "[secret]";
/// A shorter value is no secret worth the name; hiding it would make holes in every text.
const SHORTEST: usize = 8;
/// What stays as it is in a part of an address.
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
    pub fn learn(&self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(forms(secret));
        }
    }

    /// The values of variables whose names say that they are secret.
    pub fn learn_from<K: AsRef<str>, V: AsRef<str>>(&self, environment: impl IntoIterator<Item = (K, V)>) {
        for (name, value) in environment {
            if NAMES.is_match(name.as_ref()) {
                self.learn(value.as_ref());
            }
        }
    }

    /// No longer needed: a token of a life that is over.
    pub fn forget(&self, secret: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for form in forms(secret) {
            known.remove(&form);
        }
    }

    pub fn clean(&self, text: &str) -> String {
        let mut known: Vec<_> = self.known.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        // A secret may hold another one.
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

/// As it is, in an address, and in JSON.
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
