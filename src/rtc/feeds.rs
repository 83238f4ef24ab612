//! A worker's subscriptions to streams: one for each, shared by all its viewers.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use slab::Slab;

use super::directory::Inbox;
use crate::hub::{Consumer, RtpUnit, Stream};

/// A viewer: a session of the worker, and the number that the stream has in it.
pub(super) type Viewer = (usize, usize);

struct Feed {
    stream: Arc<Stream>,
    consumer: Consumer<RtpUnit>,
    viewers: Vec<Viewer>,
    waker: Waker,
}

struct FeedWaker {
    inbox: Arc<Inbox>,
    slot: usize,
}

impl Wake for FeedWaker {
    fn wake(self: Arc<Self>) {
        self.inbox.feed_ready(self.slot);
    }
}

/// The subscriptions.
#[derive(Default)]
pub(super) struct Feeds(Slab<Feed>);

impl Feeds {
    /// Adds a viewer to a stream. Returns the number of its feed, from which is to be taken at once: that arms its waker,
    /// which tells `inbox`.
    pub(super) fn join(&mut self, viewer: Viewer, stream: &Arc<Stream>, inbox: &Arc<Inbox>) -> usize {
        let known = self.0.iter().find(|(_, feed)| Arc::ptr_eq(&feed.stream, stream)).map(|(slot, _)| slot);
        let slot = known.unwrap_or_else(|| {
            let entry = self.0.vacant_entry();
            let slot = entry.key();
            let waker = Waker::from(Arc::new(FeedWaker { inbox: Arc::clone(inbox), slot }));
            let consumer = stream.subscribe_rtp();
            entry.insert(Feed { stream: Arc::clone(stream), consumer, viewers: Vec::new(), waker });
            slot
        });
        if let Some(feed) = self.0.get_mut(slot) {
            feed.viewers.push(viewer);
        }
        slot
    }

    /// What has come since, and for whom.
    pub(super) fn take(&self, slot: usize, units: &mut Vec<RtpUnit>, viewers: &mut Vec<Viewer>) {
        let Some(feed) = self.0.get(slot) else { return };
        let cx = Context::from_waker(&feed.waker);
        while let Poll::Ready(unit) = feed.consumer.poll_next(&cx) {
            units.push(unit);
        }
        viewers.extend_from_slice(&feed.viewers);
    }

    /// Takes a viewer out; a feed without any ends.
    pub(super) fn leave(&mut self, viewer: Viewer) {
        self.retain(|other| other != viewer);
    }

    /// Takes everything out that a session views.
    pub(super) fn leave_all(&mut self, session: usize) {
        self.retain(|(viewer, _)| viewer != session);
    }

    fn retain(&mut self, keep: impl Fn(Viewer) -> bool) {
        self.0.retain(|_, feed| {
            feed.viewers.retain(|viewer| keep(*viewer));
            !feed.viewers.is_empty()
        });
    }
}
