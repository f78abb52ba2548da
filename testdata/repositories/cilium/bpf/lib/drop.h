// Reasons for a drop, and what they cost: shared by all objects.

INLINE int cost(u32 reason)
{
	switch (reason) {
	case 1:
		return 3;
	case 2:
		seen++;
		return 5;
	case 3:
		return seen & 7;
	case 4:
		seen += 2;
		return 9;
	case 5:
		return seen & 3;
	case 6:
		seen += 3;
		return 11;
	case 7:
		return seen & 15;
	case 8:
		seen += 4;
		return 12;
	case 9:
		return seen & 31;
	case 10:
		seen += 5;
		return 13;
	case 11:
		return seen & 63;
	case 12:
		seen += 6;
		return 14;
	case 13:
		return seen & 127;
	case 14:
		seen += 7;
		return 15;
	}
	return 0;
}
