//! Channel groups (PROTOCOL.md 2.7). A poll that follows a changed group is woken to look at it again.

use actix_web::web::Bytes;

use super::super::feed::Topic;
use super::super::name::Name;
use super::Service;
use super::bodies::{self, GroupChannels, GroupNames, Registry};
use super::query::Query;
use super::refusal::{Refusal, name};

/// The groups of a key.
pub(super) fn list_groups(service: &Service, key: &Name) -> Result<Bytes, Refusal> {
    let keyset = service.keysets.look_at(key);
    let keyset = keyset.at(service.now());
    let groups = keyset.world.groups().names().map(|group| &**group).collect();
    bodies::write(&listing(GroupNames { groups, namespace: "" }))
}

/// Adds channels to a group or removes some; with neither asked for, lists them.
pub(super) fn group(service: &Service, key: &Name, group: &Name, asked: &Query) -> Result<Bytes, Refusal> {
    let (add, remove) = (asked.names("add")?, asked.names("remove")?);
    if add.is_empty() && remove.is_empty() {
        let keyset = service.keysets.look_at(key);
        let keyset = keyset.at(service.now());
        let channels = keyset.world.groups().channels(group).map(|channel| &**channel).collect();
        return bodies::write(&listing(GroupChannels { channels, group }));
    }
    let keyset = service.keysets.open(key)?;
    let mut keyset = keyset.at(service.now());
    keyset.world.groups_mut().add(group, &add)?;
    keyset.world.groups_mut().remove(group, &remove);
    keyset.feed.wake(&Topic::Group(group.clone()));
    done()
}

/// Deletes a group.
pub(super) fn delete(service: &Service, key: &Name, group: &Name) -> Result<Bytes, Refusal> {
    let keyset = service.keysets.look_at(key);
    let mut keyset = keyset.at(service.now());
    keyset.world.groups_mut().delete(group);
    keyset.feed.wake(&Topic::Group(group.clone()));
    done()
}

fn listing<P>(payload: P) -> Registry<P> {
    Registry { error: false, message: None, payload: Some(payload), service: name::GROUPS, status: 200 }
}

fn done() -> Result<Bytes, Refusal> {
    let done = Registry::<()> {
        error: false,
        message: Some("OK"),
        payload: None,
        service: name::GROUPS,
        status: 200,
    };
    bodies::write(&done)
}
