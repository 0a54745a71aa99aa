// Uploads: the store knows them, the transport moves their bytes, rows and the tray show them, drop brings files.
import "./tray.js";
import "./drop.js";
import "./reach.js";
import "./storage.js";
