//! InitProducerId (22): an id for an idempotent producer. KIP-98; ids come in blocks from the controller (KIP-730).

use wire::ErrorCode;
use wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;

/// Gives a new id with epoch 0. A transactional id is refused: transactions are not served yet.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: InitProducerIdRequest,
    _: i16,
) -> InitProducerIdResponse {
    let refused = |code: ErrorCode| InitProducerIdResponse {
        error_code: code.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    // Who has an id already says its epoch, too.
    let half = (request.producer_id == -1) != (request.producer_epoch == -1);
    if request.transactional_id.is_some() || half {
        return refused(ErrorCode::InvalidRequest);
    }
    match next(context).await {
        Ok(producer_id) => InitProducerIdResponse {
            producer_id,
            ongoing_txn_producer_id: -1,
            ongoing_txn_producer_epoch: -1,
            ..Default::default()
        },
        Err(code) => refused(code),
    }
}

/// The next id of this shard's block; asks the controller for another block when it is used up.
async fn next(context: &Context) -> Result<i64, ErrorCode> {
    loop {
        let (next, end) = context.producer_ids.get();
        if next < end {
            context.producer_ids.set((next + 1, end));
            return Ok(next);
        }
        let node = context.config.node_id;
        let epoch = context.image().broker(node).map_or(-1, |broker| broker.epoch);
        let block =
            context.controller.try_submit(move |controller, _| controller.allocate_producer_ids(node, epoch)).await;
        let block = block.map_err(|_| ErrorCode::CoordinatorNotAvailable)?.map_err(|error| error.to_code())?;
        // Another request of this shard may have fetched a block meanwhile: its ids are left unused, which costs nothing.
        context.producer_ids.set((block.start.0, block.end.0));
    }
}
