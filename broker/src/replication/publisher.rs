//! From a committed step of the metadata to a changed broker: shards first, then the image that requests are answered by.

use metadata::Step;
use model::Offset;

use super::images::Images;
use super::reconciler::Reconciler;

/// Makes steps real, one after another.
pub struct Publisher {
    images: Images,
    reconciler: Reconciler,
}

impl Publisher {
    pub fn new(images: Images, reconciler: Reconciler) -> Self {
        Self { images, reconciler }
    }

    /// Carries out `step`, whose last record has `offset`. Whoever sees the new image finds its partitions served; what
    /// the image no longer has is removed after nobody can ask for it any more.
    pub async fn publish(&mut self, step: Step, offset: Offset) {
        self.reconciler.before_publish(&step).await;
        self.images.set(step.next.clone(), offset);
        self.reconciler.after_publish(&step).await;
    }
}
