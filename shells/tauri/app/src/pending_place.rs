//! The place that the main page should go to. It is kept here while the page loads and does not listen for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A place is the part of a page's URL that starts with `#`. Managed by the app.
#[derive(Default)]
pub struct PendingPlace(Mutex<State>);

#[derive(Default)]
struct State {
    listening: bool,
    place: Option<String>,
}

impl PendingPlace {
    /// Returns the place when the page listens, so that the caller sends it. Otherwise keeps it until the page asks.
    pub fn send<'a>(&self, place: &'a str) -> Option<&'a str> {
        let mut state = self.state();
        if state.listening {
            return Some(place);
        }
        state.place = Some(place.to_owned());
        None
    }

    /// The page listens from now on. Returns the place that was kept for it.
    pub fn listen(&self) -> Option<String> {
        let mut state = self.state();
        state.listening = true;
        state.place.take()
    }

    /// The page is loaded again, and does not listen until [`Self::listen`].
    pub fn reload(&self) {
        self.state().listening = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_until_the_page_listens_and_again_after_a_reload() {
        let pending = PendingPlace::default();
        assert_eq!(pending.send("#/a"), None);
        assert_eq!(pending.send("#/b"), None);
        assert_eq!(pending.listen().as_deref(), Some("#/b"));
        assert_eq!(pending.listen(), None);
        assert_eq!(pending.send("#/c"), Some("#/c"));
        pending.reload();
        assert_eq!(pending.send("#/d"), None);
        assert_eq!(pending.listen().as_deref(), Some("#/d"));
    }
}
