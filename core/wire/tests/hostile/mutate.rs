//! Bytes that nobody should send, made from bytes that somebody would: always the same ones for the same seed.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Lengths and counts that a decoder must not believe: int16, int32 and varint, alone or before what makes them fit.
const COUNTS: &[&[u8]] = &[
    &[0xff, 0xff],
    &[0x7f, 0xff],
    &[0x80, 0x00],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0x00, 0x00, 0x00],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0x00, 0x0f, 0x42, 0x40],
    &[0x00, 0x00, 0x27, 0x10],
    &[0x00, 0x01, 0x00, 0x00],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x80, 0x80, 0x80, 0x10],
    &[0xff, 0xff, 0x3f],
    &[0xc1, 0x84, 0x3d],
    &[0x91, 0x4e],
];

/// One to three changes to `seed`; `other` lends bytes for splices.
pub fn mutated(seed: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=rng.below(3) {
        change(&mut bytes, other, rng);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = rng.below(bytes.len() + 1);
    match rng.below(9) {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
        2 if at < bytes.len() => bytes[at] = [0, 1, 2, 0x7f, 0x80, 0xff][rng.below(6)],
        3 => {
            let count = COUNTS[rng.below(COUNTS.len())];
            let end = (at + count.len()).min(bytes.len());
            bytes.splice(at..end, count.iter().copied());
        }
        4 => {
            let count = rng.below(24);
            let more = rng.bytes(count);
            bytes.splice(at..at, more);
        }
        5 => {
            let end = at + rng.below(bytes.len() - at + 1);
            bytes.drain(at..end);
        }
        6 => {
            let from = rng.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => {
            bytes.truncate(at);
            flood(bytes, rng);
        }
    }
}

/// A count, and behind it as many of the smallest elements as it says: what asks for the most memory per byte.
pub fn flood(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let count = 1usize << rng.below(15);
    let count = count + rng.below(count);
    let element = match rng.below(5) {
        0 => vec![0],
        1 => vec![1],
        2 => vec![2, b'a'],
        3 => vec![0, 1, b'a'],
        _ => {
            let len = 1 + rng.below(8);
            rng.bytes(len)
        }
    };
    match rng.below(3) {
        0 => bytes.extend_from_slice(&(count as i32).to_be_bytes()),
        _ => varint(bytes, count as u32 + 1),
    }
    let room = (96 << 10) / element.len();
    bytes.extend(element.iter().copied().cycle().take(count.min(room) * element.len()));
    let tail = rng.below(64);
    bytes.extend(std::iter::repeat_n(rng.below(3) as u8, tail));
}

fn varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
