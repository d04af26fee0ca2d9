//! What must not compile, and what the compiler says then: the message names the fix.

#[test]
fn mistakes_are_refused_with_the_fix() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
