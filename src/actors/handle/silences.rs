//! Silences, and changing them.

use super::alerts::configured;
use super::{Adsum, AskError};
use crate::domain::alert::Silence;
use crate::history::alerts::{KeptSilence, SilenceId};
use crate::history::{History, Result as Kept};

impl Adsum {
    /// The silences that are not over, or all that are kept, in the order in which they were made.
    ///
    /// # Errors
    /// [`AskError::History`].
    pub async fn silences(&self, all: bool) -> Result<Vec<KeptSilence>, AskError> {
        let over = (!all).then(|| self.now());
        self.ask(move |history| Ok(history.silences(over)?)).await
    }

    /// Keeps a silence; it mutes from its beginning on, also after a restart.
    ///
    /// # Errors
    /// [`AskError::UnknownRule`] if the configuration has no such rule, [`AskError::TooManySilences`],
    /// [`AskError::History`], [`AskError::Stopping`].
    pub async fn add_silence(&self, silence: Silence) -> Result<KeptSilence, AskError> {
        if let Some(rule) = &silence.matcher().rule {
            configured(&self.editions.current(), rule)?;
        }
        let now = self.now();
        let kept = self.silencing(move |history| history.add_silence(&silence, now)).await?;
        kept.ok_or(AskError::TooManySilences)
    }

    /// Ends a silence; one that has not begun is gone.
    ///
    /// # Errors
    /// [`AskError::UnknownSilence`] if there is none of this number, or if it is over; [`AskError::History`],
    /// [`AskError::Stopping`].
    pub async fn end_silence(&self, id: SilenceId) -> Result<(), AskError> {
        let now = self.now();
        let ended = self.silencing(move |history| history.end_silence(id, now)).await?;
        if ended { Ok(()) } else { Err(AskError::UnknownSilence(id.to_string())) }
    }

    /// First the history, then what alerts are judged by: one change at a time, so that both end with the same, and as a
    /// whole even if nobody waits for it any more. What is judged by is read anew even where nothing was changed: whoever
    /// asks again after a reading that failed makes good for it.
    async fn silencing<T: Send + 'static>(
        &self,
        change: impl FnOnce(&dyn History) -> Kept<T> + Send + 'static,
    ) -> Result<T, AskError> {
        let adsum = self.clone();
        let work = async move {
            let _turn = adsum.silencing.lock().await;
            let (silences, now) = (adsum.silences.clone(), adsum.now());
            let changed = adsum.ask(move |history| {
                let changed = change(history)?;
                silences.set(history.silences(Some(now))?);
                Ok(changed)
            });
            changed.await
        };
        actix::spawn(work).await.map_err(|_| AskError::Stopping)?
    }
}
