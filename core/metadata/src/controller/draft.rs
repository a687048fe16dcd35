//! A decision in the making: records so far and the image they lead to, so that later items of a command see earlier
//! ones; and randomness drawn from a [`Moment`].

use crate::controller::{Decision, Moment};
use crate::delta::Delta;
use crate::image::Image;
use crate::record::Record;

pub(super) struct Draft {
    delta: Delta,
    records: Vec<Record>,
}

impl Draft {
    pub fn new(image: &Image) -> Self {
        Self { delta: Delta::new(image), records: Vec::new() }
    }

    /// The image after the records so far; effective topic configs are still those before.
    pub fn image(&self) -> &Image {
        self.delta.image()
    }

    pub fn push(&mut self, record: Record) {
        let replayed = self.delta.replay(&record);
        assert!(replayed.is_ok(), "the controller decided on a record that cannot be replayed: {replayed:?}");
        self.records.push(record);
    }

    pub fn decide<R>(self, reply: R) -> Decision<R> {
        Decision { records: self.records, reply }
    }
}

/// Numbers that look random and follow from a [`Moment`] alone: SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(moment: Moment) -> Self {
        // The time goes in as well: a seed drawn twice still gives other ids.
        Self(moment.seed ^ moment.now.0.cast_unsigned().rotate_left(32))
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Dice of their own for a part of the decision: what that part draws does not move what follows it.
    pub fn split(&mut self) -> Self {
        Self(self.roll())
    }

    pub fn roll_16_bytes(&mut self) -> [u8; 16] {
        let both = (u128::from(self.roll()) << 64) | u128::from(self.roll());
        both.to_be_bytes()
    }
}
