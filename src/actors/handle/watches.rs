//! What is watched, and changing it.

use super::{Adsum, AskError, WatchItem};
use crate::actors::supervisor::{GetTargets, Reconfigure, Retarget};
use crate::domain::names::GroupName;
use crate::domain::watch::{Policies, Target};

impl Adsum {
    /// Everything that is watched on the configuration's or the API's account, in order.
    ///
    /// # Errors
    /// [`AskError::Stopping`].
    pub async fn watches(&self) -> Result<Vec<WatchItem>, AskError> {
        let targets = self.supervisor.send(GetTargets).await.map_err(|_| AskError::Stopping)?;
        let (configured, added, groups) = targets;
        let of = |source| move |target: &Target| item(target, source);
        let groups = groups.iter().map(|group| WatchItem {
            target: group.as_str().to_owned(),
            kind: "group",
            source: "configuration",
        });
        let mut items: Vec<WatchItem> = configured
            .iter()
            .map(of("configuration"))
            .chain(added.iter().map(of("api")))
            .chain(groups)
            .collect();
        items.sort_unstable();
        Ok(items)
    }

    /// Takes what a configuration that was read again wants watched, and how. Channels that stay have no gap.
    ///
    /// # Errors
    /// [`AskError::Stopping`].
    pub async fn reconfigure(
        &self,
        targets: Vec<Target>,
        groups: Vec<GroupName>,
        policies: Policies,
    ) -> Result<(), AskError> {
        let new = Reconfigure { targets, groups, policies };
        self.supervisor.send(new).await.map_err(|_| AskError::Stopping)
    }

    /// Watches a channel or pattern from now on, also after a restart. Whether it is new.
    ///
    /// # Errors
    /// [`AskError::History`], [`AskError::Stopping`].
    pub async fn watch(&self, target: Target) -> Result<bool, AskError> {
        self.retarget(Retarget::Add(target)).await
    }

    /// Watches it no longer, unless the configuration or a group wants it. Whether the API had added it.
    ///
    /// # Errors
    /// [`AskError::History`], [`AskError::Stopping`].
    pub async fn unwatch(&self, target: &Target) -> Result<bool, AskError> {
        self.retarget(Retarget::Remove(target.clone())).await
    }

    /// First the history, then the supervisor: one change at a time, so that both end with the same, and as a whole even
    /// if nobody waits for it any more.
    async fn retarget(&self, retarget: Retarget) -> Result<bool, AskError> {
        let adsum = self.clone();
        let work = async move {
            let _turn = adsum.retargeting.lock().await;
            let change = retarget.clone();
            let changed = adsum.ask(move |history| {
                Ok(match &change {
                    Retarget::Add(target) => history.add_watch(target.as_str())?,
                    Retarget::Remove(target) => history.remove_watch(target.as_str())?,
                })
            });
            let changed = changed.await?;
            if changed || matches!(retarget, Retarget::Add(_)) {
                adsum.supervisor.send(retarget).await.map_err(|_| AskError::Stopping)?;
            }
            Ok(changed)
        };
        actix::spawn(work).await.map_err(|_| AskError::Stopping)?
    }
}

fn item(target: &Target, source: &'static str) -> WatchItem {
    let kind = match target {
        Target::Channel(_) => "channel",
        Target::Pattern(_) => "pattern",
    };
    WatchItem { target: target.as_str().to_owned(), kind, source }
}
