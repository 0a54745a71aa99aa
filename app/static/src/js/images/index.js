// Images of games: painted before they are there, and sent.
import "./pictures.js";
import "./tiles.js";
import "./drop.js";
import "./tray.js";
