//! stub
use crate::history::History;
/// x
pub struct States;
/// x
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct StatesError;
/// x
pub struct KnownState {
    /// x
    pub channel: crate::domain::names::ChannelName,
    /// x
    pub state: crate::domain::state::Shown,
    /// x
    pub observed_at: crate::domain::time::Time,
    /// x
    pub present: bool,
}
impl States {
    /// x
    pub fn catch_up(&self, _h: &dyn History) -> Result<usize, StatesError> {
        Ok(0)
    }
    /// x
    pub fn flush(&self) -> Result<(), StatesError> {
        Ok(())
    }
    /// x
    pub fn states_of(
        &self,
        _: &crate::domain::names::UserId,
        _limit: usize,
    ) -> Result<Vec<KnownState>, StatesError> {
        Ok(vec![])
    }
}
