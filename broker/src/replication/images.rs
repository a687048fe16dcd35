//! The metadata image that this node goes by, readable from any thread.

use std::sync::Arc;

use arc_swap::ArcSwap;
use metadata::Image;
use model::Offset;

/// An image and how far the metadata log had come.
#[derive(Debug)]
pub struct Published {
    pub image: Image,
    pub offset: Offset,
}

impl std::ops::Deref for Published {
    type Target = Image;

    fn deref(&self) -> &Image {
        &self.image
    }
}

/// The current image. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub struct Images {
    current: Arc<ArcSwap<Published>>,
}

impl Images {
    pub fn new(image: Image, offset: Offset) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(Published { image, offset })) }
    }

    pub fn current(&self) -> Arc<Published> {
        self.current.load_full()
    }

    pub(super) fn set(&self, image: Image, offset: Offset) {
        self.current.store(Arc::new(Published { image, offset }));
    }
}
