//! Every history that adsum writes keeps the laws; what was damaged is told.

use std::path::{Path, PathBuf};

use adsum::domain::gap::GapReason;
use adsum::history::History;
use adsum::history::sqlite::{Law, Sqlite, Verified, verify};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::lists::{at, instant};
use crate::world::{CHANNELS, Step, World, channel_name, happenings};

pub(crate) fn verified(path: &Path) -> Verified {
    verify(path, &mut |_| ()).unwrap()
}

pub(crate) fn assert_sound(path: &Path) -> Verified {
    let verified = verified(path);
    assert!(verified.is_sound(), "{:#?}", verified.broken);
    assert_eq!(verified.more, 0);
    verified
}

fn history(folder: &TempDir) -> PathBuf {
    folder.path().join("history.db")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_was_observed_keeps_the_laws_at_every_commit(happenings in happenings()) {
        let folder = tempfile::tempdir().unwrap();
        let history = crate::given::open(&folder);
        let mut world = World::begin(history.as_ref());
        for happening in &happenings {
            world.live(std::slice::from_ref(happening));
            assert_sound(&self::history(&folder));
        }
        world.stop();
        let verified = assert_sound(&self::history(&folder));
        prop_assert_eq!(usize::try_from(verified.counts.events).unwrap(), world.recorded.len());
        prop_assert_eq!(usize::try_from(verified.counts.channels).unwrap(), CHANNELS);
        prop_assert_eq!(usize::try_from(verified.counts.visits).unwrap(), world.visits().len());
        prop_assert_eq!(usize::try_from(verified.counts.gaps).unwrap(), world.gaps.len());
        let runs: usize = world.runs.iter().map(Vec::len).sum();
        prop_assert_eq!(usize::try_from(verified.counts.runs).unwrap(), runs);
    }

    #[test]
    fn what_goes_on_after_a_crash_keeps_the_laws(happenings in happenings(), later in happenings()) {
        let folder = tempfile::tempdir().unwrap();
        let history = crate::given::open(&folder);
        let mut world = World::begin(history.as_ref());
        world.live(&happenings);
        // No channel is stopped.
        history.recover().unwrap();
        assert_sound(&self::history(&folder));
        for index in 0..CHANNELS {
            world.reload(index);
        }
        world.live(&later);
        assert_sound(&self::history(&folder));
    }

    #[test]
    fn what_expires_a_few_rows_at_a_time_keeps_the_laws(
        happenings in happenings(), before in instant(), limit in 1usize..40, unwatched in any::<bool>()
    ) {
        let folder = tempfile::tempdir().unwrap();
        let history = crate::given::open(&folder);
        let mut happenings = happenings;
        if !unwatched {
            happenings.retain(|(_, _, step)| !matches!(step, Step::Restart(GapReason::Unwatched)));
        }
        let mut world = World::after(history.as_ref(), &happenings);
        let before = at(&world, before);
        while history.expire(before, limit).unwrap() {
            assert_sound(&self::history(&folder));
        }
        assert_sound(&self::history(&folder));
        if !unwatched {
            for index in 0..CHANNELS {
                world.reload(index);
            }
            world.live(&happenings);
            assert_sound(&self::history(&folder));
        }
    }
}
