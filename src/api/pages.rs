//! Pages of lists that are whole in memory.

use super::cursor::{Cursor, TextCursor};

/// One page of `items` in order of `key`: at most `limit` of those after the cursor, and the cursor of the next page.
pub(crate) fn page<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> Vec<String>,
    after: Option<&TextCursor>,
    limit: usize,
) -> (Vec<T>, Option<String>) {
    let mut keyed: Vec<(Vec<String>, T)> = items.into_iter().map(|item| (key(&item), item)).collect();
    keyed.sort_by(|one, other| one.0.cmp(&other.0));
    let start = after.map_or(0, |after| keyed.partition_point(|(key, _)| *key <= after.text));
    let rest = keyed.split_off(start);
    let more = rest.len() > limit;
    let mut last = None;
    let mut page = Vec::with_capacity(rest.len().min(limit));
    for (key, item) in rest.into_iter().take(limit) {
        last = Some(key);
        page.push(item);
    }
    (page, last.filter(|_| more).map(|text| TextCursor { text }.encode()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_pages_of_a_list_are_the_list_in_order(
            mut items in proptest::collection::hash_set("[a-c]{0,3}", 0..20).prop_map(Vec::from_iter),
            limit in 1usize..6,
        ) {
            let (mut read, mut after) = (Vec::new(), None);
            loop {
                let (page, next) = page(items.clone(), |item: &String| vec![item.clone()], after.as_ref(), limit);
                prop_assert!(page.len() <= limit);
                read.extend(page);
                let Some(next) = next else { break };
                after = Some(TextCursor::decode(&next).unwrap());
            }
            items.sort();
            prop_assert_eq!(read, items);
        }
    }
}
