use super::*;

#[test]
fn an_empty_file_sets_nothing() {
    assert_eq!(import("").map(|imported| imported.settings), Ok(Map::new()));
}
