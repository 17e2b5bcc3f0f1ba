//! Which requests have a record that may not be finished: an index in the key-value store, so that no start and no round
//! has to list its keys, which costs the database more with every key there is.
//!
//! A request is in the index, durably, before its record is written, and leaves it after its record has been read as
//! finished. So whatever a crash leaves half done is found.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures::lock::Mutex;
use serde::{Deserialize, Serialize};

use crate::mattermost::{HostError, Mattermost, Swap};

/// Most ids in a page.
const IDS: usize = 500;
/// How often a page is written while somebody else writes it.
const TRIES: u32 = 8;

/// What the index takes of Mattermost.
pub(crate) trait Store {
    /// Reads a value.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, HostError>>;
    /// Writes a value if what is stored is as expected; says whether it was.
    fn swap(&self, swap: Swap) -> impl Future<Output = Result<bool, HostError>>;
}

impl<M: Mattermost> Store for M {
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, HostError>> {
        self.kv_get(key)
    }

    fn swap(&self, swap: Swap) -> impl Future<Output = Result<bool, HostError>> {
        self.kv_swap(swap)
    }
}

/// The index of one cluster, as last read or written.
#[derive(Debug, Default)]
pub(crate) struct OpenIndex {
    cluster: RefCell<String>,
    /// One writer at a time.
    writing: Mutex<()>,
    pages: RefCell<Vec<Page>>,
    /// In which page an id is.
    place: RefCell<BTreeMap<String, usize>>,
}

/// A page, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// Changes whenever an id is to stay although it may have been read as finished: a removal that is under way, by this process
    /// or by one that led before, then fails.
    mark: u64,
    ids: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Page {
    content: Content,
    /// What is stored; none where nothing is.
    raw: Option<Vec<u8>>,
    /// Whether what is stored cannot be read. It is written over.
    damaged: bool,
}

/// What to do where somebody else has written a page since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conflict {
    Merge,
    GiveUp,
}

fn key(cluster: &str, page: usize) -> String {
    format!("open:{cluster}:{page}")
}

/// Stands in the store once the records of versions without an index are in it.
fn complete_key(cluster: &str) -> String {
    format!("open-complete:{cluster}")
}

impl Page {
    async fn read<S: Store>(store: &S, cluster: &str, page: usize) -> Result<Self, HostError> {
        let raw = store.get(&key(cluster, page)).await?;
        let content = raw.as_deref().map(serde_json::from_slice);
        let damaged = matches!(content, Some(Err(_)));
        Ok(Self { content: content.and_then(Result::ok).unwrap_or_default(), raw, damaged })
    }
}

impl OpenIndex {
    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.cluster.borrow_mut().clear();
        self.pages.borrow_mut().clear();
        self.place.borrow_mut().clear();
    }

    /// Reads the index of a cluster. Answers whether it is complete: not where an earlier version wrote records without it, or
    /// where a page could not be read.
    ///
    /// # Errors
    /// Where the store cannot be read or written.
    pub(crate) async fn open<S: Store>(&self, store: &S, cluster: &str) -> Result<bool, HostError> {
        {
            let _alone = self.writing.lock().await;
            self.clear();
            cluster.clone_into(&mut self.cluster.borrow_mut());
        }
        self.refresh(store).await?;
        Ok(store.get(&complete_key(cluster)).await?.is_some())
    }

    /// Reads the pages again: what somebody sent who led before may have arrived since.
    ///
    /// # Errors
    /// Where the store cannot be read or written.
    pub(crate) async fn refresh<S: Store>(&self, store: &S) -> Result<(), HostError> {
        let _alone = self.writing.lock().await;
        let cluster = self.cluster.borrow().clone();
        for number in 0.. {
            let page = Page::read(store, &cluster, number).await?;
            if page.raw.is_none() {
                break;
            }
            if page.damaged {
                // Written down before the page is written over: the records have to be listed once more.
                set_complete(store, &cluster, false).await?;
            }
            let damaged = page.damaged;
            self.keep(number, page);
            if damaged {
                self.write(store, number, Conflict::Merge, |_| {}).await?;
            }
        }
        Ok(())
    }

    /// All ids in it.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.place.borrow().keys().cloned().collect()
    }

    /// Whether an id is in it.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.place.borrow().contains_key(id)
    }

    /// Adds ids, and answers when they are stored. Those that wait together are written together.
    ///
    /// # Errors
    /// Where the store cannot be read or written.
    pub(crate) async fn add<S: Store>(&self, store: &S, ids: &[String]) -> Result<(), HostError> {
        let _alone = self.writing.lock().await;
        let mut new: Vec<&String> = ids.iter().filter(|id| !self.has(id)).collect();
        new.sort_unstable();
        new.dedup();
        let mut number = 0;
        while !new.is_empty() {
            let room = self.pages.borrow().get(number).map_or(IDS, |page| IDS.saturating_sub(page.content.ids.len()));
            let some: Vec<&String> = new.drain(..room.min(new.len())).collect();
            if !some.is_empty() {
                self.write(store, number, Conflict::Merge, |page| page.ids.extend(some.iter().map(|id| (*id).clone())))
                    .await?;
            }
            number += 1;
        }
        Ok(())
    }

    /// Makes an id stay whose record was finished and is to be written again. `mark`: any random number.
    ///
    /// # Errors
    /// Where the store cannot be read or written.
    pub(crate) async fn reopen<S: Store>(&self, store: &S, id: &str, mark: u64) -> Result<(), HostError> {
        self.add(store, &[id.to_owned()]).await?;
        let _alone = self.writing.lock().await;
        let number = self.place.borrow().get(id).copied().unwrap_or_default();
        let again = |page: &mut Content| {
            page.ids.insert(id.to_owned());
            page.mark = mark;
        };
        self.write(store, number, Conflict::Merge, again).await
    }

    /// Takes ids out that are finished, unless `wanted` again by now.
    ///
    /// # Errors
    /// Where the store cannot be read or written.
    pub(crate) async fn remove<S: Store>(
        &self,
        store: &S,
        ids: &[String],
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), HostError> {
        let _alone = self.writing.lock().await;
        let mut of_page: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
        for id in ids.iter().filter(|id| !wanted(id)) {
            // From here on whoever wants it adds it again, after this.
            if let Some(number) = self.place.borrow_mut().remove(id) {
                of_page.entry(number).or_default().push(id);
            }
        }
        for (number, gone) in of_page {
            self.write(store, number, Conflict::GiveUp, |page| page.ids.retain(|id| !gone.contains(&id))).await?;
        }
        Ok(())
    }

    /// Changes a page. What somebody else has written since it was read stays, and where `conflict` says so, all of it.
    async fn write<S: Store>(
        &self,
        store: &S,
        number: usize,
        conflict: Conflict,
        change: impl Fn(&mut Content),
    ) -> Result<(), HostError> {
        let cluster = self.cluster.borrow().clone();
        if cluster.is_empty() {
            return Err(HostError::Unavailable("the index of open requests was closed".to_owned()));
        }
        let mut page = self.pages.borrow().get(number).cloned().unwrap_or_default();
        for _ in 0..TRIES {
            change(&mut page.content);
            let raw = serde_json::to_vec(&page.content).map_err(|error| HostError::Invalid(error.to_string()))?;
            let key = key(&cluster, number);
            let swap = Swap { key, old: page.raw.clone(), new: Some(raw.clone()), expire_seconds: 0 };
            let stored = match store.swap(swap).await {
                Ok(stored) => stored,
                // An answer that was lost says nothing about the write: look.
                Err(HostError::Unavailable(_)) => false,
                Err(error) => return Err(error),
            };
            if stored {
                self.keep(number, Page { raw: Some(raw), damaged: false, ..page });
                return Ok(());
            }
            page = Page::read(store, &cluster, number).await?;
            if page.raw.as_ref() == Some(&raw) || conflict == Conflict::GiveUp {
                self.keep(number, page);
                return Ok(());
            }
        }
        Err(changed_by_others())
    }

    fn keep(&self, number: usize, page: Page) {
        let mut place = self.place.borrow_mut();
        place.retain(|id, of| *of != number || page.content.ids.contains(id));
        place.extend(page.content.ids.iter().map(|id| (id.clone(), number)));
        let mut pages = self.pages.borrow_mut();
        if pages.len() <= number {
            pages.resize(number + 1, Page::default());
        }
        if let Some(place) = pages.get_mut(number) {
            *place = page;
        }
    }
}

fn changed_by_others() -> HostError {
    HostError::Unavailable("the index of open requests is being changed by others".to_owned())
}

/// Writes down whether all records that are not finished are in the index of a cluster.
///
/// # Errors
/// Where the store cannot be read or written.
pub(crate) async fn set_complete<S: Store>(store: &S, cluster: &str, complete: bool) -> Result<(), HostError> {
    let key = complete_key(cluster);
    let old = store.get(&key).await?;
    if old.is_some() == complete {
        return Ok(());
    }
    let swap = Swap { key, old, new: complete.then(|| b"complete".to_vec()), expire_seconds: 0 };
    // Another leader may have been at it as well.
    if store.swap(swap).await? { Ok(()) } else { Err(changed_by_others()) }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[derive(Default)]
    struct Memory {
        values: RefCell<BTreeMap<String, Vec<u8>>>,
        /// The next write takes effect, and its answer is lost.
        loses: std::cell::Cell<bool>,
    }

    impl Store for Memory {
        async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
            Ok(self.values.borrow().get(key).cloned())
        }

        async fn swap(&self, swap: Swap) -> Result<bool, HostError> {
            let mut values = self.values.borrow_mut();
            if values.get(&swap.key) != swap.old.as_ref() {
                return Ok(false);
            }
            match swap.new {
                Some(new) => values.insert(swap.key, new),
                None => values.remove(&swap.key),
            };
            if self.loses.take() { Err(HostError::Unavailable("lost".into())) } else { Ok(true) }
        }
    }

    fn names(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn opened(store: &Memory) -> Result<OpenIndex, HostError> {
        let index = OpenIndex::default();
        block_on(index.open(store, "tp"))?;
        Ok(index)
    }

    fn stored(store: &Memory) -> Result<Vec<String>, HostError> {
        let mut ids = opened(store)?.ids();
        ids.sort();
        Ok(ids)
    }

    #[test]
    fn what_is_added_is_stored_in_pages_and_what_is_removed_is_gone() -> Result<(), HostError> {
        let (store, index) = (Memory::default(), opened(&Memory::default())?);
        let many: Vec<String> = (0..IDS + 3).map(|number| format!("{number:04}")).collect();
        block_on(index.add(&store, &many))?;
        assert_eq!(stored(&store)?, many);
        assert_eq!(store.values.borrow().len(), 2, "pages");
        block_on(index.remove(&store, &many, |id| id == "0000" || id == "0002"))?;
        assert_eq!(stored(&store)?, names(&["0000", "0002"]));
        assert!(index.has("0000") && !index.has("0001"));
        Ok(())
    }

    #[test]
    fn an_answer_that_was_lost_is_looked_for() -> Result<(), HostError> {
        let store = Memory::default();
        let index = opened(&store)?;
        store.loses.set(true);
        block_on(index.add(&store, &names(&["a"])))?;
        assert!(index.has("a"));
        assert_eq!(stored(&store)?, names(&["a"]));
        Ok(())
    }

    #[test]
    fn whoever_led_before_cannot_take_out_what_is_open_again() -> Result<(), HostError> {
        let store = Memory::default();
        let before = opened(&store)?;
        block_on(before.add(&store, &names(&["a", "b"])))?;
        let now = opened(&store)?;
        block_on(now.reopen(&store, "a", 7))?;
        // It read the record when that was finished.
        block_on(before.remove(&store, &names(&["a"]), |_| false))?;
        assert_eq!(stored(&store)?, names(&["a", "b"]));
        assert!(before.has("a"), "it has read that it stays");
        Ok(())
    }

    #[test]
    fn what_two_write_at_once_is_all_kept() -> Result<(), HostError> {
        let store = Memory::default();
        let (one, other) = (opened(&store)?, opened(&store)?);
        block_on(one.add(&store, &names(&["a"])))?;
        block_on(other.add(&store, &names(&["b"])))?;
        assert_eq!(stored(&store)?, names(&["a", "b"]));
        Ok(())
    }

    #[test]
    fn an_index_that_cannot_be_read_is_made_anew_from_the_records() -> Result<(), HostError> {
        let store = Memory::default();
        block_on(set_complete(&store, "tp", true))?;
        assert!(block_on(OpenIndex::default().open(&store, "tp"))?);
        store.values.borrow_mut().insert(key("tp", 0), b"{".to_vec());
        let index = OpenIndex::default();
        assert!(!block_on(index.open(&store, "tp"))?);
        block_on(index.add(&store, &names(&["a"])))?;
        assert_eq!(stored(&store)?, names(&["a"]));
        assert!(!block_on(OpenIndex::default().open(&store, "tp"))?, "also after a crash");
        Ok(())
    }

    #[test]
    fn nothing_is_written_once_it_is_closed() -> Result<(), HostError> {
        let store = Memory::default();
        let index = opened(&store)?;
        index.clear();
        assert!(block_on(index.add(&store, &names(&["a"]))).is_err());
        assert!(store.values.borrow().is_empty());
        Ok(())
    }
}
