/*!
What tests of the whole program share: starting it, talking to it, looking for
planted values in everything it left behind.
*/
