//! Answers from stored bytes equal those from messages, and pages of receipts fit their budget.

use bytes::Bytes;
use hypasis_wire::eth::{
    BlockHeaders, Dialect, EthMessage, EthVersion, PooledTransactions, RawAnswer, Receipts, Receipts69,
    Receipts70, ReceiptsPage, RequestPair,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::{list, rlp_list, transaction};

proptest! {
    #[test]
    fn a_raw_answer_is_the_message_that_it_stands_for(
        id in any::<u64>(),
        headers in vec(rlp_list(), 0..40),
        transactions in vec(transaction(), 0..40),
    ) {
        let raw = BlockHeaders::encode_raw(id, headers.iter().map(|header| &header[..]));
        let message = EthMessage::BlockHeaders(RequestPair::new(id, BlockHeaders(headers)));
        prop_assert_eq!(raw, message.encoded());

        let raw = PooledTransactions::encode_raw(id, transactions.iter().map(|transaction| &transaction[..]));
        let message = EthMessage::PooledTransactions(RequestPair::new(id, PooledTransactions(transactions)));
        prop_assert_eq!(raw, message.encoded());
    }

    #[test]
    fn consensus_receipts_become_the_list_of_eth_68(
        id in any::<u64>(),
        receipts in vec(transaction(), 0..10),
    ) {
        let mut answer = RawAnswer::new(id);
        answer.push_consensus_list(receipts.iter().map(|receipt| &receipt[..]));
        prop_assert_eq!(answer.count(), 1);
        let payload = answer.finish();
        let read = EthMessage::decode(EthVersion::Eth68, Dialect::Ethereum, 0x10, payload).unwrap();
        let wrapped: Vec<Bytes> = receipts
            .iter()
            .map(|receipt| match receipt[0] {
                0xc0.. => receipt.clone(),
                _ => alloy_rlp::encode(&receipt[..]).into(),
            })
            .collect();
        let want = EthMessage::Receipts(RequestPair::new(id, Receipts(vec![list(&wrapped)])));
        prop_assert_eq!(read, want);
    }

    #[test]
    fn pages_put_together_are_the_block(receipts in vec(rlp_list(), 0..30), budget in 0usize..400) {
        let whole = list(&receipts);
        let mut pages = Vec::new();
        loop {
            let mut answer = RawAnswer::new(1);
            let first = pages.len() as u64;
            let page = answer.push_receipts(&whole, first, budget).unwrap();
            let items = taken(answer);
            prop_assert_eq!(items.1, !page.complete);
            prop_assert_eq!(items.0.len() as u64, page.taken);
            let length: usize = items.0.iter().map(Bytes::len).sum();
            prop_assert!(length <= budget || page.taken == 1, "{} bytes of {}", length, budget);
            pages.extend(items.0);
            if page.complete {
                break;
            }
            prop_assert!(page.taken > 0, "whoever pages gets on");
        }
        prop_assert_eq!(pages, receipts);
    }

    #[test]
    fn an_answer_of_whole_lists_is_that_of_eth_69_with_the_flag(lists in vec(rlp_list(), 0..10)) {
        let nested: Vec<Bytes> = lists.iter().map(|one| list(std::slice::from_ref(one))).collect();
        let mut paged = RawAnswer::with_capacity(9, 1024);
        for one in &nested {
            prop_assert!(paged.push_receipts(one, 0, usize::MAX).unwrap().complete);
        }
        let want = Receipts70 { last_block_incomplete: false, receipts: nested.clone() };
        prop_assert_eq!(
            paged.finish_receipts70(),
            EthMessage::Receipts70(RequestPair::new(9, want)).encoded()
        );
        prop_assert_eq!(
            Receipts69::encode_raw(9, nested.iter().map(|one| &one[..])),
            EthMessage::Receipts69(RequestPair::new(9, Receipts69(nested))).encoded()
        );
    }
}

#[test]
fn a_later_block_whose_first_receipt_does_not_fit_is_left_out() {
    let receipt: Bytes = list(&[alloy_rlp::encode(&[0xff; 90][..]).into()]);
    let block = list(&[receipt.clone(), receipt]);
    let mut answer = RawAnswer::new(1);
    assert!(answer.push_receipts(&list(&[]), 0, 0).unwrap().complete);
    let length = answer.len();
    let page = answer.push_receipts(&block, 0, 10).unwrap();
    assert_eq!(page, ReceiptsPage { taken: 0, complete: false });
    assert_eq!((answer.count(), answer.len()), (1, length));
    assert!(!taken(answer).1, "the last block in the answer is complete");
}

#[test]
fn an_index_at_the_end_gives_an_empty_list_and_one_beyond_it_an_error() {
    let block = list(&[list(&[]), list(&[])]);
    let page = |first| RawAnswer::new(1).push_receipts(&block, first, 1000);
    assert_eq!(page(1), Ok(ReceiptsPage { taken: 1, complete: true }));
    assert_eq!(page(2), Ok(ReceiptsPage { taken: 0, complete: true }));
    assert!(page(3).is_err());
    assert!(page(u64::MAX).is_err());
}

#[test]
fn stored_bytes_that_are_no_list_are_not_paged() {
    for stored in [&[][..], &[0x80], &[0xc2, 0x01], &[0xc0, 0xc0]] {
        assert!(RawAnswer::new(1).push_receipts(stored, 0, 1000).is_err(), "{stored:?}");
    }
}

/// The receipts of an answer with one block, or none, and its flag.
fn taken(answer: RawAnswer) -> (Vec<Bytes>, bool) {
    let payload = answer.finish_receipts70();
    let read = EthMessage::decode(EthVersion::Eth70, Dialect::Ethereum, 0x10, payload).unwrap();
    let EthMessage::Receipts70(RequestPair { message, .. }) = read else { panic!("not receipts") };
    let items = message.receipts.first().map(|block| {
        let mut rest = &block[..];
        let mut rest = alloy_rlp::Header::decode_bytes(&mut rest, true).unwrap();
        let mut items = Vec::new();
        while !rest.is_empty() {
            let before = rest;
            let header = alloy_rlp::Header::decode(&mut rest).unwrap();
            let length = before.len() - rest.len() + header.payload_length;
            items.push(Bytes::copy_from_slice(&before[..length]));
            rest = &before[length..];
        }
        items
    });
    (items.unwrap_or_default(), message.last_block_incomplete)
}
